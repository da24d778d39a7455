// SPDX-License-Identifier: Apache-2.0

// Command googleprotos writes the .proto sources of Google's common API types
// under a directory, for buf to import. They are printed from the descriptors
// inside the pinned genproto Go modules, so that generating needs nothing but
// the Go module mirror and can't disagree with the Go types it refers to.
package main

import (
	"fmt"
	"os"

	"github.com/jhump/protoreflect/desc"
	"github.com/jhump/protoreflect/desc/protoprint"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// provided lists every file that a .proto of this repository, or one of
// Sigstore's it imports, may import from google/api and google/rpc.
var provided = []protoreflect.FileDescriptor{
	annotations.File_google_api_annotations_proto,
	annotations.File_google_api_http_proto,
	annotations.File_google_api_field_behavior_proto,
	annotations.File_google_api_resource_proto,
	httpbody.File_google_api_httpbody_proto,
	code.File_google_rpc_code_proto,
	errdetails.File_google_rpc_error_details_proto,
	status.File_google_rpc_status_proto,
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: googleprotos DIRECTORY")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "googleprotos:", err)
		os.Exit(1)
	}
}

func write(dir string) error {
	files := make([]*desc.FileDescriptor, 0, len(provided))
	for _, fd := range provided {
		file, err := desc.WrapFile(fd)
		if err != nil {
			return fmt.Errorf("reading the descriptor of %s: %w", fd.Path(), err)
		}
		files = append(files, file)
	}
	printer := protoprint.Printer{}
	if err := printer.PrintProtosToFileSystem(files, dir); err != nil {
		return fmt.Errorf("writing .proto files: %w", err)
	}
	return nil
}
