// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// terminal is where progress is shown, or nil: standard error, where it is a terminal.
func (g *globals) terminal(c *cobra.Command) io.Writer {
	file, ok := c.ErrOrStderr().(*os.File)
	if !ok || g.quiet || !term.IsTerminal(int(file.Fd())) {
		return nil
	}
	return file
}

// progressFile is a file that shows how much of it was read.
type progressFile struct {
	progressbar.Reader
	bar  *progressbar.ProgressBar
	file *os.File
}

// showProgress returns file with a progress bar on w, which is gone when the file is closed.
func showProgress(w io.Writer, file *os.File) (io.ReadCloser, error) {
	info, err := file.Stat()
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("finding the artifact's size: %w", err)
	}
	size := info.Size()
	if !info.Mode().IsRegular() {
		size = -1 // a pipe
	}
	bar := progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(w), progressbar.OptionSetDescription("sending the artifact"), progressbar.OptionShowBytes(true),
		progressbar.OptionUseIECUnits(true), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetRenderBlankState(true),
	)
	return &progressFile{progressbar.NewReader(file, bar), bar, file}, nil
}

// Close implements io.Closer.
func (p *progressFile) Close() error {
	_ = p.bar.Finish() // only drawn
	return p.file.Close()
}
