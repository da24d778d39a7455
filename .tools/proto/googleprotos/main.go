// SPDX-License-Identifier: Apache-2.0

// Command googleprotos writes the .proto sources of Google's common API types
// under a directory, for buf to import. They are printed from the descriptors
// inside the pinned genproto Go modules, so that generating needs nothing but
// the Go module mirror and can't disagree with the Go types it refers to.
//
// With -well-known it writes those of protobuf itself, which buf has built in, and others may lack.
package main

import (
	"flag"
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
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
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

// wellKnown lists what those import of google/protobuf.
var wellKnown = []protoreflect.FileDescriptor{
	anypb.File_google_protobuf_any_proto,
	descriptorpb.File_google_protobuf_descriptor_proto,
	durationpb.File_google_protobuf_duration_proto,
	timestamppb.File_google_protobuf_timestamp_proto,
}

func main() {
	known := flag.Bool("well-known", false, "write protobuf's own files")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: googleprotos [-well-known] DIRECTORY")
		os.Exit(2)
	}
	files := provided
	if *known {
		files = wellKnown
	}
	if err := write(flag.Arg(0), files); err != nil {
		fmt.Fprintln(os.Stderr, "googleprotos:", err)
		os.Exit(1)
	}
}

func write(dir string, descriptors []protoreflect.FileDescriptor) error {
	files := make([]*desc.FileDescriptor, 0, len(descriptors))
	for _, fd := range descriptors {
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
