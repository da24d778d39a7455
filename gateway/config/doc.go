// SPDX-License-Identifier: Apache-2.0

// Package config reads the gateway's YAML configuration: strictly, so that a misspelt key is
// an error and never a default. docs/configuration.md describes every field.
package config
