// SPDX-License-Identifier: Apache-2.0

package localrekor

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// serveTiles serves the checkpoint and the tiles, and nothing else of the storage directory.
func (s *Server) serveTiles() error {
	root, err := os.OpenRoot(filepath.Join(s.cfg.DataDir, tilesDir))
	if err != nil {
		return fmt.Errorf("opening the log's tiles: %w", err)
	}
	listener, err := net.Listen("tcp", loopbackAddress(0))
	if err != nil {
		return errors.Join(fmt.Errorf("listening for tile reads: %w", err), root.Close())
	}
	s.readURL = "http://" + listener.Addr().String()
	s.tiles = &http.Server{Handler: tileHandler(root.FS()), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		_ = s.tiles.Serve(listener) // ends with Stop
		_ = root.Close()
	}()
	return nil
}

func tileHandler(files fs.FS) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
		info, err := fs.Stat(files, name)
		if err != nil || info.IsDir() || name != "checkpoint" && !strings.HasPrefix(name, "tile/") {
			http.NotFound(w, r)
			return
		}
		if name == "checkpoint" {
			w.Header().Set("Cache-Control", "no-cache")
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeFileFS(w, r, files, name) //nolint:gosec // files is an os.Root, which no path leaves
	})
}
