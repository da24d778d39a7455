// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/fetcher"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/tiles"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// TUFConfig describes a TUF repository with a trusted root and a signing config among its targets.
type TUFConfig struct {
	// URL is what the metadata is below; the targets are below URL/targets, by their hashes where the repository has consistent snapshots.
	URL string
	// Root is the root.json that is trusted at first.
	Root []byte
	// SharedRoot: whoever configures this URL has the same root, which may come with a newer program. Else the cache is this root's alone.
	SharedRoot bool
	// Cache is the folder of what was fetched last; other URLs may have theirs there, too. "" is none.
	Cache string
	// TrustedRoot and SigningConfig are the names of the targets.
	TrustedRoot, SigningConfig string
	// UserAgent is the User-Agent header of all requests.
	UserAgent string

	// RequestTimeout bounds one request, the whole answer with it. Zero is 10 seconds.
	RequestTimeout time.Duration
	// RefreshTimeout bounds a refresh with all its requests. Zero is a minute.
	RefreshTimeout time.Duration
	// Logger is told of refreshes that fail; required.
	Logger *slog.Logger
	// Now tells what has expired; nil is time.Now.
	Now func() time.Time
}

const (
	defaultTUFRequest = 10 * time.Second
	defaultTUFRefresh = time.Minute
	maxTUFHeaders     = 64 << 10
)

// TUF is a source that a TUF repository keeps. It is safe for concurrent use.
//
// sigstore-go's own client is not used: it puts the first root back over the cached one whenever it is made, so that its cache
// cannot be read any more once a root has rotated.
type TUF struct {
	cfg    TUFConfig
	cache  cache
	client *http.Client

	refreshing sync.Mutex // held while the cache is written

	mu     sync.Mutex // guards what follows
	status Status
	now    Snapshot
	told   string // the fault that the operator was told last
}

// Status is how current a source is.
type Status struct {
	Refreshed time.Time // when what Current returns was last confirmed by the repository; zero: not since the start
	Failed    bool      // the last refresh has failed
	Expires   time.Time // of what Current returns
}

// NewTUF returns the source. Nothing is read or fetched yet.
func NewTUF(cfg TUFConfig) (*TUF, error) {
	if _, err := tiles.ParseURL(cfg.URL); err != nil {
		return nil, err
	}
	if _, err := readRootVersion(cfg.Root); err != nil {
		return nil, fmt.Errorf("reading the TUF root: %w", err)
	}
	if cfg.RequestTimeout == 0 {
		cfg.RequestTimeout = defaultTUFRequest
	}
	if cfg.RefreshTimeout == 0 {
		cfg.RefreshTimeout = defaultTUFRefresh
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxResponseHeaderBytes = maxTUFHeaders
	transport.DisableKeepAlives = true // a few requests an hour
	refuse := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client := &http.Client{Transport: transport, Timeout: cfg.RequestTimeout, CheckRedirect: refuse}
	return &TUF{cfg: cfg, cache: newCache(cfg), client: client}, nil
}

// errUnreadable is of metadata at which the library panics: it parses what it has not verified, and takes for granted that it is complete.
var errUnreadable = errors.New("the TUF metadata cannot be read")

// recoverRead has a panic of the library be an error.
func recoverRead(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v", errUnreadable, p)
	}
}

func readRootVersion(b []byte) (version int64, err error) {
	defer recoverRead(&err)
	if len(b) > trustroot.MaxSize {
		return 0, fmt.Errorf("over %d bytes", trustroot.MaxSize)
	}
	root, err := metadata.Root().FromBytes(b)
	if err != nil {
		return 0, err
	}
	return root.Signed.Version, nil
}

// Current returns what was read last, and is to be used. It is empty before the first Load or Refresh that has succeeded.
func (t *TUF) Current() Snapshot {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now
}

// Status returns how current that is.
func (t *TUF) Status() Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.status
	s.Expires = t.now.Expires
	return s
}

// Load uses what is in the cache, as long as it has not expired, and changes nothing there.
func (t *TUF) Load() (Snapshot, error) {
	s, err := t.readCache()
	if err != nil {
		return Snapshot{}, fmt.Errorf("reading the TUF cache: %w", err)
	}
	t.use(s)
	return s, nil
}

// Refresh asks the repository, and uses and caches what it says. When that fails, what was in use stays.
func (t *TUF) Refresh(ctx context.Context) (Snapshot, error) {
	t.refreshing.Lock()
	defer t.refreshing.Unlock()
	s, err := t.fetch(ctx, true)
	if isOfFiles(err) {
		t.cfg.Logger.Warn("the cache of the TUF repository cannot be written; what is fetched is used without it", "error", err)
		s, err = t.fetch(ctx, false)
	}
	if err != nil {
		err = fmt.Errorf("refreshing from the TUF repository %s: %w", t.cfg.URL, err)
		t.noteFailed(err)
		return Snapshot{}, err
	}
	t.use(s)
	t.noteRefreshed()
	return s, nil
}

// isOfFiles reports whether the file system has failed.
func isOfFiles(err error) bool {
	var ofPath *fs.PathError
	var ofRename *os.LinkError
	return errors.As(err, &ofPath) || errors.As(err, &ofRename)
}

// Peek returns what the repository says, and neither uses nor caches it.
func (t *TUF) Peek(ctx context.Context) (Snapshot, error) {
	s, err := t.fetch(ctx, false)
	if err != nil {
		return Snapshot{}, fmt.Errorf("asking the TUF repository %s: %w", t.cfg.URL, err)
	}
	return s, nil
}

func (t *TUF) use(s Snapshot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now = s
}

func (t *TUF) noteRefreshed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status.Refreshed, t.status.Failed = t.cfg.Now(), false
	if t.told != "" {
		t.told = ""
		t.cfg.Logger.Info("the TUF repository answers again", "url", t.cfg.URL)
	}
}

// noteFailed tells the operator of a fault once, until there is another.
func (t *TUF) noteFailed(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status.Failed = true
	if err.Error() != t.told {
		t.cfg.Logger.Warn("what the logs come from was not refreshed; what was fetched before stays in use until it expires", "error", err, "expires", t.now.Expires)
	}
	t.told = err.Error()
}

// boundClient ends requests with a context: the fetcher has no way to.
type boundClient struct {
	client *http.Client
	ctx    context.Context //nolint:containedctx // one refresh's
}

// Do implements what the fetcher sends requests with.
func (c boundClient) Do(req *http.Request) (*http.Response, error) {
	return c.client.Do(req.WithContext(c.ctx)) // #nosec G704 -- the configured URL
}

// configure returns what the library works with, from a root on that is trusted. Metadata is read in the given folder, and written there when keep is set.
func (t *TUF) configure(ctx context.Context, root []byte, folder string, keep bool) (*config.UpdaterConfig, error) {
	cfg, err := config.New(t.cfg.URL, root)
	if err != nil {
		return nil, err
	}
	cfg.LocalMetadataDir, cfg.LocalTargetsDir, cfg.DisableLocalCache = folder, t.cache.targets, !keep
	f := fetcher.NewDefaultFetcher()
	f.SetHTTPUserAgent(t.cfg.UserAgent)
	f.SetHTTPClient(boundClient{t.client, ctx})
	cfg.Fetcher = f
	if keep {
		cfg.Fetcher = rootKeeper{f, t.cache}
	}
	return cfg, nil
}

func (t *TUF) fetch(ctx context.Context, keep bool) (_ Snapshot, err error) {
	defer recoverRead(&err)
	ctx, cancel := context.WithTimeout(ctx, t.cfg.RefreshTimeout)
	defer cancel()
	keep = keep && t.cache.isSet()
	if keep {
		unlock, err := t.cache.lock(ctx)
		if err != nil {
			return Snapshot{}, err
		}
		defer unlock()
		t.cache.dropTorn()
	}
	cfg, err := t.configure(ctx, t.cache.newestRoot(t.cfg.Root), t.cache.metadata, keep)
	if err != nil {
		return Snapshot{}, err
	}
	up, err := t.update(cfg)
	if err != nil {
		return Snapshot{}, err
	}
	s, err := t.readTargets(up, func(info *metadata.TargetFiles) ([]byte, error) {
		if _, b, err := up.FindCachedTarget(info, ""); err == nil && b != nil {
			return b, nil
		}
		_, b, err := up.DownloadTarget(info, "", "")
		return b, err
	})
	if err == nil && keep {
		if kept := t.cache.keep(t.targetNames(), s); kept != nil {
			t.cfg.Logger.Warn("what was fetched from the TUF repository could not be kept in the cache", "error", kept)
		}
	}
	return s, err
}

func (t *TUF) readCache() (_ Snapshot, err error) {
	defer recoverRead(&err)
	if !t.cache.isSet() {
		return Snapshot{}, errors.New("there is none")
	}
	cfg, err := t.configure(context.Background(), t.cache.goodRoot(t.cfg.Root), t.cache.findGood(), false)
	if err != nil {
		return Snapshot{}, err
	}
	cfg.UnsafeLocalMode = true // reads alone; signatures, versions and expiry are checked all the same
	up, err := t.update(cfg)
	if err != nil {
		return Snapshot{}, err
	}
	return t.readTargets(up, func(info *metadata.TargetFiles) ([]byte, error) {
		b, err := t.cache.readGood(info.Path)
		if err != nil {
			return nil, err
		}
		return b, info.VerifyLengthHashes(b)
	})
}

func (t *TUF) update(cfg *config.UpdaterConfig) (*updater.Updater, error) {
	up, err := updater.New(cfg)
	if err != nil {
		return nil, err
	}
	up.UnsafeSetRefTime(t.cfg.Now().UTC()) // the gateway's clock, and the machine's
	return up, up.Refresh()
}

func (t *TUF) targetNames() []string { return []string{t.cfg.TrustedRoot, t.cfg.SigningConfig} }

// readTargets returns what up has, checked to be readable.
func (t *TUF) readTargets(up *updater.Updater, read func(*metadata.TargetFiles) ([]byte, error)) (Snapshot, error) {
	s := Snapshot{Expires: findExpiry(up)}
	for name, into := range map[string]*[]byte{t.cfg.TrustedRoot: &s.TrustedRoot, t.cfg.SigningConfig: &s.SigningConfig} {
		info := up.GetTopLevelTargets()[name]
		if info == nil {
			return Snapshot{}, fmt.Errorf("the repository has no target %q", name)
		}
		if info.Length > trustroot.MaxSize {
			return Snapshot{}, fmt.Errorf("the target %q is over %d bytes", name, trustroot.MaxSize)
		}
		b, err := read(info)
		if err != nil {
			return Snapshot{}, fmt.Errorf("reading the target %q: %w", name, err)
		}
		*into = b
	}
	_, err := s.Read()
	return s, err
}

// findExpiry returns when the first of the top-level roles expires.
func findExpiry(up *updater.Updater) time.Time {
	set := up.GetTrustedMetadataSet()
	first := set.Root.Signed.Expires
	for _, expires := range []time.Time{set.Timestamp.Signed.Expires, set.Snapshot.Signed.Expires, set.Targets[metadata.TARGETS].Signed.Expires} {
		if expires.Before(first) {
			first = expires
		}
	}
	return first
}
