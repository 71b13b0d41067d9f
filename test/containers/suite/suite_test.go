// containerd's own tests of a snapshotter, run against one behind a socket. What is tested is said by the environment:
//
//	START       JSON: a program and its arguments, ROOT and SOCKET in them stand for a test's own. Each test starts one.
//	ADDRESS     or a containerd's socket, where each test has a namespace of its own
//	SNAPSHOTTER its name there
package suite

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	api "github.com/containerd/containerd/api/services/snapshots/v1"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/core/snapshots/proxy"
	"github.com/containerd/containerd/v2/core/snapshots/testsuite"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

const patience = 30 * time.Second

// No directory can be renamed in an overlay without redirect_dir, and the suite knows that of this name only.
const suiteName = "overlayfs"

func TestSnapshotter(t *testing.T) {
	if start := os.Getenv("START"); start != "" {
		var words []string
		if err := json.Unmarshal([]byte(start), &words); err != nil {
			t.Fatal(err)
		}
		testsuite.SnapshotterSuite(t, suiteName, func(_ context.Context, root string) (snapshots.Snapshotter, func() error, error) {
			return started(words, root)
		})
		return
	}
	var tests atomic.Int64
	testsuite.SnapshotterSuite(t, suiteName, func(context.Context, string) (snapshots.Snapshotter, func() error, error) {
		return client(os.Getenv("ADDRESS"), os.Getenv("SNAPSHOTTER"), fmt.Sprintf("suite-%d", tests.Add(1)))
	})
}

// A process of the test's own; cleanup ends it as an administrator does.
func started(words []string, root string) (snapshots.Snapshotter, func() error, error) {
	socket := filepath.Join(filepath.Dir(root), "s.sock")
	args := make([]string, len(words))
	for i, word := range words {
		args[i] = strings.NewReplacer("ROOT", root, "SOCKET", socket).Replace(word)
	}
	command := exec.Command(args[0], args[1:]...)
	command.Stdout, command.Stderr = os.Stderr, os.Stderr
	// Nothing of it outlives a suite that was killed.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	begun := make(chan error)
	go func() {
		// That signal comes with the end of the thread, and containerd's mounts end threads.
		runtime.LockOSThread()
		begun <- command.Start()
		select {}
	}()
	if err := <-begun; err != nil {
		return nil, nil, err
	}
	end := func() error {
		command.Process.Signal(syscall.SIGTERM)
		return command.Wait()
	}
	for until := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("unix", socket); err == nil {
			conn.Close()
			break
		} else if time.Now().After(until) {
			command.Process.Kill()
			return nil, nil, fmt.Errorf("%v: %w, %v", args, err, command.Wait())
		}
	}
	snapshotter, closed, err := client(socket, suiteName, "testsuite")
	return snapshotter, func() error {
		closed()
		return end()
	}, err
}

func client(address, name, namespace string) (snapshots.Snapshotter, func() error, error) {
	conn, err := grpc.NewClient("unix://"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
			call grpc.UnaryInvoker, options ...grpc.CallOption) error {
			return call(inNamespace(ctx, namespace), method, req, reply, cc, options...)
		}),
		grpc.WithStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string,
			stream grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
			return stream(inNamespace(ctx, namespace), desc, cc, method, options...)
		}))
	if err != nil {
		return nil, nil, err
	}
	return proxy.NewSnapshotter(api.NewSnapshotsClient(conn), name), conn.Close, nil
}

func inNamespace(ctx context.Context, namespace string) context.Context {
	return metadata.NewOutgoingContext(ctx, metadata.Pairs("containerd-namespace", namespace))
}
