// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"testing"
)

// treeSize is how many files most tools sign in the tree that is backfilled; gpg, which is slow, half as many, and openssl cms a quarter.
const treeSize = 540

// inFolders counts the signatures of makeReleases.
const inFolders = 3*treeSize + treeSize/2 + treeSize/4

// makeReleases makes a tree signed by the real tools, and the keys beside it.
const makeReleases = `
export GNUPGHOME=$PWD/gnupg; mkdir -m 700 gnupg; mkdir tree keys
for key in "releases nistp256" "archive rsa3072" "stranger nistp256"; do
  gpg -q --batch --passphrase '' --quick-gen-key ${key%% *}@example.org ${key##* } sign never
done
gpg -q --batch --passphrase '' --faked-system-time 20150101T000000 --quick-gen-key expired@example.org nistp256 sign 1y
gpg --armor --export releases@example.org archive@example.org expired@example.org >keys/pgp.asc
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out private && openssl pkey -in private -pubout -out keys/x509.pub
openssl req -x509 -key private -subj /CN=releases -days 30 -out certificate
ssh-keygen -q -t ecdsa -N '' -f ssh && mv ssh.pub keys
minisign -G -W -p keys/minisign.pub -s minisign.key
for i in $(seq %[1]d); do
  d=tree/$((i %% 7)); mkdir -p $d
  for tool in x509 ssh minisign; do echo "$tool $i" >$d/$tool$i; done
  openssl dgst -sha256 -sign private -out $d/x509$i.sig $d/x509$i
  [ $((i %% 2)) = 0 ] || continue
  echo "pgp $i" >$d/pgp$i
  user=releases; [ $((i %% 8)) != 0 ] || user=archive
  gpg -q --batch -u $user@example.org --detach-sign --armor $d/pgp$i
  [ $((i %% 4)) = 0 ] || continue
  echo "cms $i" >$d/cms$i
  openssl cms -sign -binary -signer certificate -inkey private -md sha256 -outform DER -in $d/cms$i -out $d/cms$i.p7s
done
ssh-keygen -q -Y sign -f ssh -n file tree/?/ssh*
minisign -S -W -s minisign.key -m tree/?/minisign*
`

// makeDefects adds what goes wrong in ten years.
const makeDefects = `
export GNUPGHOME=$PWD/gnupg; root=$PWD
pgp() { gpg -q --batch -u "${2:-releases}@example.org" --detach-sign --armor "$1"; }
raw() { openssl dgst -sha256 -sign "$root/private" -out "$1.sig" "$1"; }
mkdir tree/bad tree/many && cd tree/bad
# several signatures over one file, one of them under two names
echo twice >twice; pgp twice; minisign -S -W -s $root/minisign.key -m twice; cp twice.asc twice.sign
# wrong pairings, and files and signatures that are not what they were
echo before >changed; raw changed; echo after >changed
echo other >other; raw other; echo another >another; cp other.sig another.sig
echo gone >gone; pgp gone; rm gone
echo cut >cut; raw cut; truncate -s 30 cut.sig
echo garbage >garbage; pgp garbage; echo garbage >>garbage.asc
echo empty >empty; : >empty.asc
echo notes >notes; echo 'see the wiki' >notes.asc
echo large >large; head -c 17m /dev/zero | tr '\0' x >large.asc
# signers that are not known, weak signatures, keys that have ended since and keys that are secret
echo strange >strange; pgp strange stranger
echo weak >weak; gpg -q --batch -u archive@example.org --digest-algo SHA1 --detach-sign --armor weak
echo late >late; gpg -q --batch -u expired@example.org --faked-system-time 20150601T000000 --detach-sign --armor late
cp $root/private leaked.pem.sig; echo leaked >leaked.pem
# lists, with a file that is not there and with one that is another, and a file signed in the clear
echo listed >listed; echo lost >lost; sha256sum listed lost >SHA256SUMS; rm lost; pgp SHA256SUMS
mkdir altered; echo altered >altered/listed; (cd altered; sha256sum listed >SHA256SUMS; pgp SHA256SUMS; echo changed >listed)
echo clear >clear; gpg -q --batch -u releases@example.org --clear-sign -o InRelease clear; rm clear
# signatures over what is inside of compressed files, one of which would fill the disk
echo inner >inner.tar; pgp inner.tar; mv inner.tar.asc inner.tar.sign; xz inner.tar
echo bomb >bomb.tar; pgp bomb.tar; mv bomb.tar.asc bomb.tar.sign; rm bomb.tar; head -c 300m /dev/zero | gzip >bomb.tar.gz
# names, links, what is no file, and a file that is written all the time
name=$(printf 'two\nlines\377'); echo odd >"$name"; raw "$name"
ln -s . loop; ln -s self.sig self.sig; echo self >self; ln -s nothing dangling.sig; echo dangling >dangling
mkfifo pipe.sig; echo pipe >pipe
echo target >$root/target; pgp $root/target; ln -s $root/target.asc linked.asc; ln -s $root/target linked; ln -s $root/keys outside
truncate -s 96m busy; raw busy
cd ../many; seq 100000 | xargs touch
`

// releaseDefects are what a report says of the signatures that are not as they should be.
var releaseDefects = map[string]string{
	"bad/changed.sig": "SIGNATURE_INVALID", "bad/another.sig": "SIGNATURE_INVALID", "bad/gone.asc": "MISSING_ARTIFACT", "bad/cut.sig": "UNKNOWN_FORMAT",
	"bad/garbage.asc": "TRAILING_DATA", "bad/empty.asc": "MISSING_SIGNATURE", "bad/notes.asc": "UNKNOWN_FORMAT", "bad/large.asc": "UNKNOWN_FORMAT",
	"bad/strange.asc": "KEY_MISMATCH", "bad/weak.asc": "WEAK_ALGORITHM", "bad/leaked.pem.sig": "SECRET_KEY", "bad/altered/SHA256SUMS.asc": "ARTIFACT_MISMATCH",
	"bad/bomb.tar.sign": "CONTAINER_TOO_DENSE", "bad/self.sig": "FILE", "bad/dangling.sig": "FILE", "bad/pipe.sig": "FILE", "bad/linked.asc": "OUTSIDE_ROOT",
	"bad/outside": "OUTSIDE_ROOT", "bad/linked": "OUTSIDE_ROOT", "bad/busy.sig": "FILE_CHANGED",
}

// goodDefects are signatures of the folder bad that are logged all the same, by the verify command's arguments that hold for each.
var goodDefects = map[string]string{
	"bad/twice.asc": "bad/twice --key keys/pgp.asc", "bad/twice.minisig": "bad/twice --receipt tree/bad/twice.minisig.receipt.json --key keys/minisign.pub", "bad/twice.sign": "",
	"bad/other.sig": "bad/other --key keys/x509.pub", "bad/late.asc": "bad/late --key keys/pgp.asc", "bad/SHA256SUMS.asc": "bad/SHA256SUMS --key keys/pgp.asc",
	"bad/InRelease": "bad/InRelease --key keys/pgp.asc", "bad/inner.tar.sign": "", `"bad/two\nlines\xff.sig"`: "bad/two*lines*[!.a-z] --key keys/x509.pub",
}

// makeTreeOfReleases makes both in a folder of its own.
func makeTreeOfReleases(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	shell(t, dir, fmt.Sprintf(makeReleases, treeSize))
	shell(t, dir, makeDefects)
	return dir
}

// verifyFolders has verify take each receipt of makeReleases, by its tool's key alone, and those of goodDefects.
func (r *releases) verifyFolders() {
	r.t.Helper()
	trust := fmt.Sprintf("--trusted-root %s --gateway-trust %s", r.gateway.file(rootFile), r.gateway.file(trustFile))
	for tool, key := range map[string]string{"pgp": "pgp.asc", "x509": "x509.pub", "ssh": "ssh.pub", "minisign": "minisign.pub", "cms": "x509.pub"} {
		shell(r.t, r.dir, fmt.Sprintf("%s verify --quiet $(find tree/? -name '%s*' ! -name '*.*') --key keys/%s %s", r.program, tool, key, trust))
	}
	for _, arguments := range goodDefects {
		if arguments != "" {
			shell(r.t, r.dir, fmt.Sprintf("%s verify --quiet tree/%s %s", r.program, arguments, trust))
		}
	}
	shell(r.t, r.dir, fmt.Sprintf("xz -dc tree/bad/inner.tar.xz >inner.tar; %s verify --quiet inner.tar --receipt tree/bad/inner.tar.receipt.json --key keys/pgp.asc %s", r.program, trust))
}

// pathOf returns the file that a report names, which may have a name that is no UTF-8.
func (r *releases) pathOf(reported string) string {
	if name, err := strconv.Unquote(reported); err == nil {
		reported = name
	}
	return filepath.Join(r.dir, reported)
}
