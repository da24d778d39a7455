// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/localrekor"
	"github.com/rekor-gateway/rekor-gateway/gateway/server"
)

// devFlags are the flags of dev.
type devFlags struct {
	dataDir, http, grpc, admin string
	rekorServer, readyFile     string
	globals                    *globals
}

func newDev(g *globals) *cobra.Command {
	c := &cobra.Command{
		Use:   "dev",
		Short: "Run a gateway with a transparency log of its own, for a first try",
		Long: `dev starts a real Rekor v2 log on this machine and a gateway in front of it. Keys, the log,
the store and a configuration file are kept in the data folder, so that everything is still
there after a restart. Ctrl-C stops all of it.`,
		Example: `  rekor-gateway dev
  rekor-gateway dev --data-dir /tmp/try --http 127.0.0.1:0 --grpc 127.0.0.1:0 --admin 127.0.0.1:0 --ready-file /tmp/try.json`,
		Args: noArguments,
	}
	f := devFlags{globals: g}
	d := config.Default()
	c.Flags().StringVar(&f.dataDir, "data-dir", ".rekor-gateway", "`FOLDER` for keys, log, store and configuration")
	c.Flags().StringVar(&f.http, "http", d.HTTP.Listen, "`ADDRESS` of the HTTP API; port 0 takes a free one")
	c.Flags().StringVar(&f.grpc, "grpc", d.GRPC.Listen, "`ADDRESS` of the gRPC API")
	c.Flags().StringVar(&f.admin, "admin", d.Admin.Listen, "`ADDRESS` of metrics and health")
	c.Flags().StringVar(&f.rekorServer, "rekor-server", "", "`PATH` of rekor-server-posix; else $REKOR_SERVER, beside this program, or on the PATH")
	c.Flags().StringVar(&f.readyFile, "ready-file", "", "write the addresses to this `FILE` (JSON) once everything serves")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return f.runDev(c.Context(), c.OutOrStdout(), c.ErrOrStderr())
	}
	return c
}

// rekorStart is how long the local log may take to start.
const rekorStart = 30 * time.Second

func (f *devFlags) runDev(ctx context.Context, out, logs io.Writer) (err error) {
	binary, err := findRekor(f.rekorServer)
	if err != nil {
		return err
	}
	if err := f.openDataDir(); err != nil {
		return err
	}
	rekor, err := f.startRekor(ctx, binary)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rekor.Stop()) }()
	cfg, err := f.writeConfig(rekor)
	if err != nil {
		return err
	}
	server.PrepareProcess(cfg.Limits)
	s, err := server.Build(ctx, cfg, server.Options{Logger: newLogger(logs, cfg.Logging), Version: readBuildInfo().Version})
	if err != nil {
		return fmt.Errorf("starting: %w", err)
	}
	if err := f.announceReady(out, s.Addresses()); err != nil {
		return errors.Join(err, s.Close())
	}
	return runBeside(ctx, s, rekor)
}

// runBeside runs s until ctx ends, or the log beside it does.
func runBeside(ctx context.Context, s *server.Server, rekor *localrekor.Server) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	died := fail(fault.ReasonFailed, errors.New("the local Rekor server has ended by itself"), "its own log is rekor/server.log in the data folder")
	go func() {
		select {
		case <-ctx.Done():
		case <-rekor.Done():
			stop(died)
		}
	}()
	if err := s.Run(ctx); err != nil {
		return err
	}
	if errors.Is(context.Cause(ctx), died) {
		return died
	}
	return nil
}

// openDataDir makes the folder; the log in it keeps a second process out. The ready file of
// an earlier run is not true any more.
func (f *devFlags) openDataDir() (err error) {
	if f.dataDir, err = filepath.Abs(f.dataDir); err != nil {
		return fmt.Errorf("finding the data folder: %w", err)
	}
	if err := os.MkdirAll(f.dataPath("rekor"), 0o700); err != nil {
		return fmt.Errorf("making the data folder: %w", err)
	}
	if err := os.Remove(f.readyFile); f.readyFile != "" && err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the old ready file: %w", err)
	}
	return nil
}

func (f *devFlags) dataPath(name ...string) string {
	return filepath.Join(append([]string{f.dataDir}, name...)...)
}

func (f *devFlags) startRekor(ctx context.Context, binary string) (*localrekor.Server, error) {
	output, err := os.OpenFile(f.dataPath("rekor", "server.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log server's own log: %w", err)
	}
	defer output.Close() //nolint:errcheck // the server has its own handle
	ctx, cancel := context.WithTimeout(ctx, rekorStart)
	defer cancel()
	rekor, err := localrekor.Start(ctx, localrekor.Config{
		Binary: binary, DataDir: f.dataPath("rekor"), Origin: devOrigin, PersistentAntispam: true, Output: output,
	})
	if err != nil {
		return nil, fail(fault.ReasonFailed, fmt.Errorf("starting the local Rekor server: %w", err), "is another rekor-gateway dev using %s? its log is rekor/server.log in there", f.dataDir)
	}
	return rekor, nil
}

// announceReady prints the addresses and files, as text or JSON, and writes the ready file.
func (f *devFlags) announceReady(out io.Writer, a server.Addresses) error {
	ready := readiness{Addresses: a, DataDir: f.dataDir, Config: f.dataPath(configFile), TrustedRoot: f.dataPath(rootFile), GatewayTrust: f.dataPath(trustFile)}
	if f.globals.isJSON() {
		if err := output.JSON(out, ready); err != nil {
			return err
		}
	} else if !f.globals.quiet {
		_, _ = io.WriteString(out, ready.formatWelcome())
	}
	if f.readyFile == "" {
		return nil
	}
	return ready.writeReadyFile(f.readyFile)
}

// readiness is the JSON of --output json and of the ready file.
type readiness struct {
	server.Addresses
	DataDir      string `json:"dataDir"`
	Config       string `json:"config"`
	TrustedRoot  string `json:"trustedRoot"`
	GatewayTrust string `json:"gatewayTrust"`
}

// writeReadyFile replaces the file at once, so that nobody reads half of it.
func (r readiness) writeReadyFile(path string) error {
	var text strings.Builder
	if err := output.JSON(&text, r); err != nil {
		return err
	}
	part := path + ".part"
	if err := os.WriteFile(part, []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("writing the ready file: %w", err)
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("writing the ready file: %w", err)
	}
	return nil
}

func (r readiness) formatWelcome() string {
	return fmt.Sprintf(`rekor-gateway serves, with a Rekor v2 log of its own. Ctrl-C stops both.

  HTTP %s   gRPC %s   metrics %s/metrics
  data in %s

Try it in another terminal:

  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem
  openssl pkey -in key.pem -pubout -out key.pub
  echo hello > artifact
  openssl dgst -sha256 -sign key.pem -out artifact.sig artifact
  curl -F signature=@artifact.sig -F key=@key.pub -F artifact=@artifact %s/v1/submissions

`, r.HTTP, r.GRPC, r.Admin, r.DataDir, r.HTTP) + fmt.Sprintf(`or with a receipt that is then verified offline:

  rekor-gateway submit --server %s --signature artifact.sig --key key.pub --artifact artifact --receipt receipt.json
  rekor-gateway verify --receipt receipt.json --artifact artifact --key key.pub --trusted-root %s

`, r.HTTP, r.TrustedRoot)
}
