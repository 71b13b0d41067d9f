// unpackers: unpacks stacks of layers as containerd and umoci do, and tells what is there then.
//
// Takes a line a stack: JSON with a directory and its layers, the lowest first. Answers with a line of JSON for each: what each
// of the two has unpacked, or why it did not. Where the line asks for it, containerd also unpacks each layer into a directory
// `overlay/<number>`, as it does for overlayfs, and leaves those.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"syscall"

	"github.com/apex/log"
	"github.com/containerd/containerd/v2/pkg/archive"
	"github.com/opencontainers/umoci/oci/layer"
)

type stack struct {
	Dir    string   `json:"dir"`
	Layers []string `json:"layers"`
	Overlay bool     `json:"overlay"`
}

type entry struct {
	Path   string `json:"path"`
	Mode   uint32 `json:"mode"`
	UID    uint32 `json:"uid"`
	GID    uint32 `json:"gid"`
	MTime  int64  `json:"mtime"`
	Target string `json:"target,omitempty"`
	Data   string `json:"data,omitempty"`
	// The first path of the same inode.
	Same string `json:"same,omitempty"`
}

type result struct {
	Entries []entry `json:"entries,omitempty"`
	Refused string  `json:"refused,omitempty"`
}

func containerd(root string, tar []byte) error {
	_, err := archive.Apply(context.Background(), root, bytes.NewReader(tar))
	return err
}

func umoci(root string, tar []byte) error {
	return layer.UnpackLayer(root, bytes.NewReader(tar), nil)
}

func tree(root string) ([]entry, error) {
	var all []entry
	first := map[uint64]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st syscall.Stat_t
		if err := syscall.Lstat(path, &st); err != nil {
			return err
		}
		e := entry{Path: "/" + path[min(len(path), len(root)+1):], Mode: st.Mode, UID: st.Uid, GID: st.Gid, MTime: st.Mtim.Sec}
		switch st.Mode & syscall.S_IFMT {
		case syscall.S_IFLNK:
			e.Target, err = os.Readlink(path)
		case syscall.S_IFREG:
			var data []byte
			data, err = os.ReadFile(path)
			e.Data = string(data)
		}
		if st.Mode&syscall.S_IFMT != syscall.S_IFDIR {
			if same, ok := first[st.Ino]; ok {
				e.Same = same
			} else {
				first[st.Ino] = e.Path
			}
		}
		all = append(all, e)
		return err
	})
	sort.Slice(all, func(i, j int) bool { return all[i].Path < all[j].Path })
	return all, err
}

func unpacked(s stack, name string, apply func(string, []byte) error) (r result) {
	root := filepath.Join(s.Dir, name)
	defer os.RemoveAll(root)
	err := os.Mkdir(root, 0o755)
	for _, path := range s.Layers {
		var tar []byte
		if tar, err = os.ReadFile(path); err != nil {
			break
		}
		if err = apply(root, tar); err != nil {
			break
		}
	}
	if err == nil {
		r.Entries, err = tree(root)
	}
	if err != nil {
		return result{Refused: err.Error()}
	}
	return r
}

func overlay(s stack) result {
	var parents []string
	for i, path := range s.Layers {
		root := filepath.Join(s.Dir, "overlay", fmt.Sprint(i))
		tar, err := os.ReadFile(path)
		if err == nil {
			err = os.MkdirAll(root, 0o755)
		}
		if err == nil {
			_, err = archive.Apply(context.Background(), root, bytes.NewReader(tar),
				archive.WithConvertWhiteout(archive.OverlayConvertWhiteout), archive.WithParents(parents))
		}
		if err != nil {
			return result{Refused: err.Error()}
		}
		parents = append([]string{root}, parents...)
	}
	return result{}
}

func main() {
	syscall.Umask(0o022)
	log.SetLevel(log.FatalLevel)
	in := bufio.NewReader(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var s stack
		if err := json.Unmarshal(line, &s); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		answer := map[string]result{"containerd": unpacked(s, "containerd", containerd), "umoci": unpacked(s, "umoci", umoci)}
		if s.Overlay {
			answer["overlay"] = overlay(s)
		}
		out.Encode(answer)
	}
}
