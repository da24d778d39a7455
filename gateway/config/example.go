// SPDX-License-Identifier: Apache-2.0

package config

import _ "embed"

//go:embed example.yaml
var example string

// Example returns a configuration file with every key. What is optional is commented out with "#" and no blank, with its
// default or an example; text has a blank. Tests hold it to Config.
func Example() string { return example }
