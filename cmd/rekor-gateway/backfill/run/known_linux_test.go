// SPDX-License-Identifier: Apache-2.0

package run

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
)

// TestMain has receipts remembered in the overlay that the tests' folders are in where this is a container's.
func TestMain(m *testing.M) {
	var system unix.Statfs_t
	if err := unix.Statfs(os.TempDir(), &system); err == nil && int64(system.Type) == unix.OVERLAYFS_SUPER_MAGIC { //nolint:unconvert // another width elsewhere
		systemKeepsTimes = func(system int64) bool { return system == unix.OVERLAYFS_SUPER_MAGIC || keepsTimes(system) }
	}
	os.Exit(m.Run())
}

// TestKnownNotInMemory: nothing is remembered where one of the files is in memory: its content may change by way of a mapping, and its stamp does not.
func TestKnownNotInMemory(t *testing.T) {
	memory, err := os.MkdirTemp("/dev/shm", "known")
	if err != nil {
		skipOutsideCI(t, "there is no file system in memory", err)
	}
	t.Cleanup(func() { os.RemoveAll(memory) })
	disk := t.TempDir()
	for _, folder := range []string{memory, disk} {
		for _, name := range []string{"app.sig", "app", "key.pub", "receipt"} {
			if err := os.WriteFile(filepath.Join(folder, name), []byte("before"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !changesUnseen(t, filepath.Join(memory, "app")) {
		t.Log("this system shows each change there; what is remembered does not depend on that")
	}
	for _, inMemory := range []string{"", "app.sig", "app", "key.pub", "receipt"} {
		at := func(name string) string {
			if name == inMemory {
				return filepath.Join(memory, name)
			}
			return filepath.Join(disk, name)
		}
		item := backfill.Item{Signature: at("app.sig"), Artifact: at("app"), Keys: []string{at("key.pub")}}
		stamps, ok := stampItem(item)
		if !ok {
			t.Fatal("there are no stamps")
		}
		if _, ok := new(knownReceipts).hash(item, at("receipt"), stampOf(must(os.Stat(at("receipt")))), stamps); ok != (inMemory == "" && keepsChanges(disk)) {
			t.Errorf("with %q in memory: %v", inMemory, ok)
		}
	}
}

// TestKnownDevice: what is remembered of a device was found with a file on it, and not with one that is gone, or on another one.
func TestKnownDevice(t *testing.T) {
	disk, memory := filepath.Join(t.TempDir(), "app"), "/dev/shm"
	if err := os.WriteFile(disk, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	device := stampOf(must(os.Stat(disk))).device
	var k knownReceipts
	if k.keepsChanges(disk+".gone", device) || k.keepsChanges(disk, device+1) {
		t.Error("what is not there keeps changes")
	}
	if k.keepsChanges(disk, device) != keepsChanges(disk) {
		t.Error("a file that was gone says of the device that it keeps no changes")
	}
	if info, err := os.Stat(memory); err == nil && !keepsChanges(memory) {
		if inMemory := stampOf(info).device; k.keepsChanges(disk, inMemory) || k.keepsChanges(memory, inMemory) {
			t.Error("a file on a disk says of memory that it keeps changes")
		}
	}
}

// TestKnownBelowMounts: what is in memory is found out whatever it is called there.
func TestKnownBelowMounts(t *testing.T) {
	former := systemKeepsTimes
	systemKeepsTimes = keepsTimes
	defer func() { systemKeepsTimes = former }()
	for name, options := range map[string]string{"ramfs": "", "tmpfs": "", "overlay": "lowerdir=%[1]s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work"} {
		t.Run(name, func(t *testing.T) {
			app := filepath.Join(mountInMemory(t, name, options), "app")
			if err := os.WriteFile(app, []byte("before"), 0o600); err != nil {
				t.Fatal(err)
			}
			if !changesUnseen(t, app) {
				return
			}
			if keepsChanges(app) {
				t.Error("a file that has changed and has the same stamp is remembered")
			}
			file := must(os.Open(app))
			defer file.Close()
			k, info := new(knownReceipts), must(file.Stat())
			time.Sleep(tick)
			if k.settled.sync(file, info); k.settled.has(stampOf(info)) { // a signed list is remembered where its files have settled
				t.Error("a file has settled that may change and have the same stamp")
			}
		})
	}
}

// mountInMemory mounts a file system for the calling goroutine alone, an overlay in one that is in memory.
func mountInMemory(t *testing.T, name, options string) string {
	t.Helper()
	below, folder := t.TempDir(), t.TempDir()
	runtime.LockOSThread() // it ends with the test, and the mounts with it
	mount := func(target, name, options string) {
		if err := unix.Mount("none", target, name, 0, options); err != nil {
			skipOutsideCI(t, name+" cannot be mounted here", err)
		}
		t.Cleanup(func() { _ = unix.Unmount(target, unix.MNT_DETACH) })
	}
	if err := errors.Join(unix.Unshare(unix.CLONE_FS|unix.CLONE_NEWNS), unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")); err != nil {
		skipOutsideCI(t, "mounting is for root", err)
	}
	if options != "" {
		mount(below, "tmpfs", "")
		for _, part := range []string{"lower", "upper", "work"} {
			if err := os.Mkdir(filepath.Join(below, part), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		options = fmt.Sprintf(options, below)
	}
	mount(folder, name, options)
	return folder
}

// skipOutsideCI is for what this system lacks.
func skipOutsideCI(t *testing.T, why string, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why, ": ", err)
	}
	t.Skip(why, ": ", err)
}

// TestKeepsTimes: nothing is remembered in file systems that let a change go unseen.
func TestKeepsTimes(t *testing.T) {
	for _, system := range []int64{unix.TMPFS_MAGIC, unix.RAMFS_MAGIC, unix.OVERLAYFS_SUPER_MAGIC, unix.MSDOS_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC - 1<<32} {
		if keepsTimes(system) {
			t.Errorf("%x keeps changes", system)
		}
	}
	for _, system := range []int64{unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC - 1<<32, unix.NFS_SUPER_MAGIC} {
		if !keepsTimes(system) {
			t.Errorf("%x keeps no changes", system)
		}
	}
}

// changesUnseen reports whether a file that is mapped, and was written so once, changes without another stamp.
func changesUnseen(t *testing.T, path string) bool {
	t.Helper()
	f := must(os.OpenFile(path, os.O_RDWR, 0))
	defer f.Close()
	mapped := must(unix.Mmap(int(f.Fd()), 0, len("before"), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED))
	defer unix.Munmap(mapped)
	copy(mapped, "before")
	stamp := stampOf(must(os.Stat(path)))
	time.Sleep(20 * time.Millisecond) // the clock of files has gone on
	copy(mapped, "behind")
	return stampOf(must(os.Stat(path))) == stamp && string(must(os.ReadFile(path))) == "behind"
}

// TestKnownHadSettled: a file that somebody has mapped may change without another time until it is synced. It is remembered only where it was synced, with
// that time, before it was read.
func TestKnownHadSettled(t *testing.T) {
	folder := t.TempDir()
	if !keepsChanges(folder) {
		t.Skip("nothing is remembered of files in memory")
	}
	at := func(name string) string { return filepath.Join(folder, name) }
	for _, name := range []string{"app.sig", "app", "receipt"} {
		if err := os.WriteFile(at(name), []byte("before"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	item := backfill.Item{Signature: at("app.sig"), Artifact: at("app")}
	app := must(os.OpenFile(at("app"), os.O_RDWR, 0))
	defer app.Close()
	mapped := must(unix.Mmap(int(app.Fd()), 0, len("before"), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED))
	defer unix.Munmap(mapped)
	areSettled := func(k *knownReceipts) (itemStamps, bool) {
		stamps, ok := stampItem(item)
		if !ok {
			t.Fatal("there are no stamps")
		}
		return stamps, k.areSettled(item, found{path: at("receipt"), stamp: stampOf(must(os.Lstat(at("receipt"))))}, stamps)
	}
	write := func(text string) {
		time.Sleep(tick) // the clock of files has gone on
		copy(mapped, text)
	}

	k := &knownReceipts{path: "known"}
	write("before")
	k.settled.sync(app, must(app.Stat()))
	before, settled := areSettled(k)
	if !settled {
		t.Error("files that were synced have not settled")
	}
	if write("behind"); before == must(stampsOf(item)) {
		t.Error("a file that had settled changes without another stamp")
	}
	if _, settled := areSettled(k); settled {
		t.Error("a file that was written since has settled")
	}
}

func stampsOf(item backfill.Item) (itemStamps, error) {
	if s, ok := stampItem(item); ok {
		return s, nil
	}
	return itemStamps{}, os.ErrNotExist
}
