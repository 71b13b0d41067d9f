// Reads manifests as Kubernetes' API server does with strict validation of fields: standard input, to what it understood, as JSON.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	node "k8s.io/api/node/v1"
	"sigs.k8s.io/yaml"
)

func object(version, kind string) any {
	switch version + " " + kind {
	case "v1 Namespace":
		return &core.Namespace{}
	case "v1 Pod":
		return &core.Pod{}
	case "apps/v1 DaemonSet":
		return &apps.DaemonSet{}
	case "node.k8s.io/v1 RuntimeClass":
		return &node.RuntimeClass{}
	}
	return nil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func main() {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		fail(err)
	}
	all := []any{}
	for _, document := range bytes.Split(text, []byte("\n---\n")) {
		var is struct{ APIVersion, Kind string }
		if err := yaml.Unmarshal(document, &is); err != nil {
			fail(err)
		}
		found := object(is.APIVersion, is.Kind)
		if found == nil {
			fail(fmt.Errorf("%s %s: no such kind", is.APIVersion, is.Kind))
		}
		if err := yaml.UnmarshalStrict(document, found); err != nil {
			fail(err)
		}
		all = append(all, found)
	}
	_ = json.NewEncoder(os.Stdout).Encode(all)
}
