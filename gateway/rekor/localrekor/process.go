// SPDX-License-Identifier: Apache-2.0

package localrekor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// errExited: the server ended before it was ready.
var errExited = errors.New("rekor server exited")

// process is one run of the server.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// buildCommand returns the command that starts the server.
func (s *Server) buildCommand() *exec.Cmd {
	c := s.cfg
	cmd := exec.Command(c.Binary, "serve", //nolint:gosec // the operator names the binary
		"--storage-dir", filepath.Join(c.DataDir, tilesDir),
		"--signer-filepath", filepath.Join(c.DataDir, keyFile),
		"--hostname", c.Origin,
		"--grpc-address", "127.0.0.1", "--grpc-port", strconv.Itoa(s.ports.grpc),
		"--http-address", "127.0.0.1", "--http-port", strconv.Itoa(s.ports.http),
		"--http-metrics-port", strconv.Itoa(s.ports.metrics),
		"--checkpoint-interval", orElse(c.CheckpointInterval, time.Second).String(),
		"--batch-max-age", orElse(c.BatchMaxAge, 100*time.Millisecond).String(),
		"--persistent-antispam="+strconv.FormatBool(c.PersistentAntispam))
	cmd.Stdout, cmd.Stderr = c.Output, c.Output
	cmd.SysProcAttr = processAttributes()
	return cmd
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// startProcess starts cmd from a thread of its own that lives until cmd ends: on Linux the
// server is killed when the thread that started it ends, so as not to outlive this process.
func startProcess(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in cmd.ProcessState
		}
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	return p, nil
}

func (p *process) killProcess() error { return p.endProcess(os.Kill) }

// stopProcess asks the process to end, and kills it when it has not after timeout.
func (p *process) stopProcess(timeout time.Duration) error {
	if err := p.sendSignal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(timeout):
		return p.killProcess()
	}
}

func (p *process) endProcess(s os.Signal) error {
	if err := p.sendSignal(s); err != nil {
		return err
	}
	<-p.done
	return nil
}

func (p *process) sendSignal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signalling the rekor server: %w", err)
	}
	return nil
}

// waitReady waits until the server answers and its first checkpoint is there.
func (s *Server) waitReady(ctx context.Context, p *process) error {
	conn, err := grpc.NewClient(loopbackAddress(s.ports.grpc), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("making health client: %w", err)
	}
	defer func() { _ = conn.Close() }()
	health := grpc_health_v1.NewHealthClient(conn)
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		if _, err := os.Stat(filepath.Join(s.cfg.DataDir, tilesDir, "checkpoint")); err == nil {
			conn.ResetConnectBackoff()
			if _, err := health.Check(ctx, &grpc_health_v1.HealthCheckRequest{}); err == nil {
				return nil
			}
		}
		select {
		case <-p.done:
			return fmt.Errorf("%w before it was ready: %v", errExited, p.cmd.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("waiting for the rekor server: %w", ctx.Err())
		case <-poll.C:
		}
	}
}
