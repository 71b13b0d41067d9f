// Prints the messages and services of containerd's published API, as JSON: name, fields by number, methods.
package main

import (
	"encoding/json"
	"os"

	_ "github.com/containerd/containerd/api/services/content/v1"
	_ "github.com/containerd/containerd/api/services/diff/v1"
	_ "github.com/containerd/containerd/api/services/images/v1"
	_ "github.com/containerd/containerd/api/services/introspection/v1"
	_ "github.com/containerd/containerd/api/services/namespaces/v1"
	_ "github.com/containerd/containerd/api/services/snapshots/v1"
	_ "github.com/containerd/containerd/api/services/version/v1"
	_ "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

type field struct {
	Number   int    `json:"number"`
	Name     string `json:"name"`
	Kind     string `json:"kind"`
	Repeated bool   `json:"repeated"`
	// The message that it is, or that its values are.
	Message string `json:"message"`
}

type method struct {
	Name      string `json:"name"`
	Input     string `json:"input"`
	Output    string `json:"output"`
	Streaming bool   `json:"streaming"`
}

func fields(m protoreflect.MessageDescriptor) []field {
	all := []field{}
	for i := 0; i < m.Fields().Len(); i++ {
		f := m.Fields().Get(i)
		one := field{Number: int(f.Number()), Name: string(f.Name()), Kind: f.Kind().String(), Repeated: f.IsList()}
		if f.IsMap() {
			one.Kind = "map"
		} else if f.Message() != nil {
			one.Message = string(f.Message().FullName())
		}
		all = append(all, one)
	}
	return all
}

func main() {
	messages := map[string][]field{}
	services := map[string][]method{}
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for i := 0; i < file.Messages().Len(); i++ {
			message := file.Messages().Get(i)
			messages[string(message.FullName())] = fields(message)
		}
		for i := 0; i < file.Services().Len(); i++ {
			service := file.Services().Get(i)
			methods := []method{}
			for j := 0; j < service.Methods().Len(); j++ {
				m := service.Methods().Get(j)
				methods = append(methods, method{
					string(m.Name()), string(m.Input().FullName()), string(m.Output().FullName()), m.IsStreamingServer(),
				})
			}
			services[string(service.FullName())] = methods
		}
		return true
	})
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{"messages": messages, "services": services})
}
