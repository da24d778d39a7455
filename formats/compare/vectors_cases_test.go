// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

var vectorSets = []vectorSet{
	{"OpenSSH's sshsig tests", "openssh", "ssh", "unittest", opensshVectors},
	{"Rekor's PGP tests", "rekor/pgp/testdata", "pgp", "", rekorPGPVectors},
	{"Rekor's minisign tests", "rekor/minisign/testdata", "minisign", "", rekorMinisignVectors},
	{"Rekor's SSH tests", "rekor/ssh/testdata", "ssh", "", []vector{{files: "hello_world.txt.sig id_rsa.pub", artifact: "hello_world.txt"}}},
	{"Rekor's PKCS #7 tests", "rekor/pkcs7/testdata", "pkcs7", "", []vector{{files: "sig.pkcs7.pem"}}},
	{"Rekor's X.509 tests", "rekor/x509/testdata", "x509", "", []vector{{files: "hello_world.txt.sig ec.pub", artifact: "hello_world.txt"}}},
	{"Rekor's TUF tests", "rekor/tuf/testdata", "tuf", "", rekorTUFVectors},
	{"python-tuf's repositories", "python-tuf", "tuf", "", pythonTUFVectors},
	{"tough's repositories", "tough", "tuf", "", toughVectors},
	{"go-tuf's repository", "go-tuf/metadata", "tuf", "", goTUFVectors},
}

var opensshVectors = []vector{
	{files: "rsa.sig rsa.pub", artifact: "signed-data"},
	{files: "ecdsa.sig ecdsa.pub", artifact: "signed-data"},
	{files: "ed25519.sig ed25519.pub", artifact: "signed-data"},
	{files: "ecdsa_sk.sig ecdsa_sk.pub", artifact: "signed-data"},
	{files: "ed25519_sk.sig ed25519_sk.pub", artifact: "signed-data"},
	{files: "ecdsa_sk_webauthn.sig ecdsa_sk_webauthn.pub", artifact: "signed-data", want: formats.ReasonUnsupportedAlgorithm,
		differs: "made in a web browser (WebAuthn), over what the browser puts around the digest; golang.org/x/crypto/ssh does not verify it."},
	{files: "mldsa44-ed25519.sig mldsa44-ed25519.pub", artifact: "signed-data", want: formats.ReasonUnsupportedAlgorithm,
		differs: "golang.org/x/crypto/ssh does not know this post-quantum key, and neither does OpenSSH 9.2."},
	{files: "rsa.sig ecdsa.pub", artifact: "signed-data", want: formats.ReasonKeyMismatch},
}

var rekorPGPVectors = []vector{
	{files: "hello_world.txt.sig valid_armored_public.pgp", artifact: "hello_world.txt"},
	{files: "hello_world.txt.asc.sig valid_armored_public.pgp", artifact: "hello_world.txt"},
	{files: "hello_world.txt.v3.sig valid_armored_public.pgp", artifact: "hello_world.txt"},
	{files: "hello_world.txt.asc.v3.sig valid_armored_public.pgp", artifact: "hello_world.txt"},
	{files: "hello_world.txt.sig valid_binary_public.pgp", artifact: "hello_world.txt"},
	{files: "hello_world.txt.asc.v3.sig valid_binary_public.pgp", artifact: "hello_world.txt"},
	{files: "hello_world.txt.sig valid_armored_complex_public.pgp", artifact: "hello_world.txt", want: formats.ReasonKeyMismatch},
	{files: "hello_world.txt.sig valid_binary_complex_public.pgp", artifact: "hello_world.txt", want: formats.ReasonKeyMismatch},
	{files: "hello_world.txt.sig bogus_armored.pgp", artifact: "hello_world.txt", want: formats.ReasonMalformedKey},
	{files: "bogus_armored.pgp valid_armored_public.pgp", artifact: "hello_world.txt", want: formats.ReasonMalformedSignature},
	{files: "bogus_binary.pgp valid_armored_public.pgp", artifact: "hello_world.txt", want: formats.ReasonMalformedSignature},
	{files: "valid_armored_public.pgp valid_armored_public.pgp", artifact: "hello_world.txt", want: formats.ReasonMalformedSignature},
}

var rekorMinisignVectors = []vector{
	{files: "hello_world.txt.minisig minisign.pub", artifact: "hello_world.txt"},
	{files: "hello_world.txt.minisig minisign_key_only.pub", artifact: "hello_world.txt"},
	{files: "hello_world_hashed.txt.minisig minisign_hashed.pub", artifact: "hello_world.txt"},
	{files: "hello_world.txt.signify signify.pub", artifact: "hello_world.txt", signify: true},
	{files: "minisign.pub minisign.pub", artifact: "hello_world.txt", want: formats.ReasonMalformedSignature},
}

// when the public good instance's metadata of that time was valid.
var (
	october2022 = time.Date(2022, 10, 30, 0, 0, 0, 0, time.UTC)
	april2022   = time.Date(2022, 4, 1, 0, 0, 0, 0, time.UTC)
	april2024   = time.Date(2024, 4, 1, 0, 0, 0, 0, time.UTC)
)

var rekorTUFVectors = []vector{
	{files: "timestamp.json 1.root.json", at: october2022},
	{files: "1.root.json 1.root.json", at: october2022},
	{files: "reformat.1.root.json 1.root.json", at: october2022},
	{files: "other_root.json other_root.json"},
	{files: "timestamp.json other_root.json", at: october2022, want: formats.ReasonKeyMismatch},
	{files: "unsigned_root.json 1.root.json", at: october2022, want: formats.ReasonKeyNotTrusted},
	{files: "unsigned_root.json unsigned_root.json", at: october2022, want: formats.ReasonKeyNotValid},
	{files: "bogus.json 1.root.json", want: formats.ReasonMalformedSignature},
	{files: "timestamp.json 1.root.json", want: formats.ReasonMetadataExpired},
}

var pythonTUFVectors = []vector{
	{files: "repository_data/repository/metadata/1.root.json repository_data/repository/metadata/1.root.json"},
	{files: "repository_data/repository/metadata/root.json repository_data/repository/metadata/1.root.json"},
	{files: "repository_data/repository/metadata/targets.json repository_data/repository/metadata/root.json"},
	{files: "repository_data/repository/metadata/snapshot.json repository_data/repository/metadata/root.json"},
	{files: "repository_data/repository/metadata/timestamp.json repository_data/repository/metadata/root.json"},
	{files: "repository_data/repository/metadata/role1.json repository_data/repository/metadata/root.json repository_data/repository/metadata/targets.json"},
	{files: "repository_data/repository/metadata/role2.json repository_data/repository/metadata/root.json repository_data/repository/metadata/targets.json repository_data/repository/metadata/role1.json"},
	{files: "repository_data/fishy_rolenames/metadata/1.root.json repository_data/fishy_rolenames/metadata/1.root.json"},
	{files: "repository_data/fishy_rolenames/metadata/1.targets.json repository_data/fishy_rolenames/metadata/1.root.json"},
	{files: "repository_data/fishy_rolenames/metadata/2.snapshot.json repository_data/fishy_rolenames/metadata/1.root.json"},
	{files: "repository_data/fishy_rolenames/metadata/timestamp.json repository_data/fishy_rolenames/metadata/1.root.json"},
	{files: "generated_data/ed25519_metadata/root_with_ed25519.json generated_data/ed25519_metadata/root_with_ed25519.json"},
	{files: "generated_data/ed25519_metadata/targets_with_ed25519.json generated_data/ed25519_metadata/root_with_ed25519.json"},
	{files: "generated_data/ed25519_metadata/snapshot_with_ed25519.json generated_data/ed25519_metadata/root_with_ed25519.json"},
	{files: "generated_data/ed25519_metadata/timestamp_with_ed25519.json generated_data/ed25519_metadata/root_with_ed25519.json"},
	{files: "repository_data/repository/metadata/snapshot.json generated_data/ed25519_metadata/root_with_ed25519.json", want: formats.ReasonKeyMismatch},
}

var toughVectors = []vector{
	{files: "simple-rsa/root.json simple-rsa/root.json"},
	{files: "no-root-json-signatures/root.json no-root-json-signatures/root.json", want: formats.ReasonKeyNotValid},
	{files: "invalid-root-json-signature/root.json invalid-root-json-signature/root.json", want: formats.ReasonKeyNotValid},
	{files: "mismatched-root-json-keyids/root.json mismatched-root-json-keyids/root.json", want: formats.ReasonMalformedSignature},
	{files: "duplicate-keyid/root.json duplicate-keyid/root.json", want: formats.ReasonMalformedSignature},
	{files: "duplicate-sigs/root.json duplicate-sigs/root.json", want: formats.ReasonMalformedSignature},
	{files: "duplicate-sig-keys/root.json duplicate-sig-keys/root.json", want: formats.ReasonMalformedSignature},
	{files: "expired-root-json-signature/root.json expired-root-json-signature/root.json", want: formats.ReasonMetadataExpired},
	{files: "hex-encoded-ecdsa-sig-keys/root.json hex-encoded-ecdsa-sig-keys/root.json", at: april2022},
	{files: "pem-encoded-ecdsa-sig-keys/root.json pem-encoded-ecdsa-sig-keys/root.json", at: october2022},
	{files: "ecdsa-new-type-sig-keys/root.json ecdsa-new-type-sig-keys/root.json", at: april2024},
	{files: "consistent-snapshots/metadata/1.root.json consistent-snapshots/metadata/1.root.json"},
	{files: "consistent-snapshots/metadata/1.targets.json consistent-snapshots/metadata/1.root.json"},
	{files: "consistent-snapshots/metadata/1.snapshot.json consistent-snapshots/metadata/1.root.json"},
	{files: "consistent-snapshots/metadata/timestamp.json consistent-snapshots/metadata/1.root.json"},
	{files: "safe-target-paths/metadata/1.root.json safe-target-paths/metadata/1.root.json"},
	{files: "safe-target-paths/metadata/targets.json safe-target-paths/metadata/1.root.json"},
	{files: "safe-target-paths/metadata/snapshot.json safe-target-paths/metadata/1.root.json"},
	{files: "safe-target-paths/metadata/timestamp.json safe-target-paths/metadata/1.root.json"},
	{files: "safe-target-paths/metadata/delegated.json safe-target-paths/metadata/1.root.json safe-target-paths/metadata/targets.json"},
	{files: "expired-repository/metadata/1.root.json expired-repository/metadata/1.root.json"},
	{files: "expired-repository/metadata/1589485578.targets.json expired-repository/metadata/1.root.json"},
	{files: "expired-repository/metadata/1589485578.snapshot.json expired-repository/metadata/1.root.json"},
	{files: "expired-repository/metadata/timestamp.json expired-repository/metadata/1.root.json", want: formats.ReasonMetadataExpired},
	{files: "rotated-root/2.root.json rotated-root/1.root.json"},
	{files: "rotated-root/1.targets.json rotated-root/2.root.json"},
	{files: "rotated-root/1.snapshot.json rotated-root/2.root.json"},
	{files: "rotated-root/timestamp.json rotated-root/2.root.json"},
	{files: "cross-sign-root/1.root.json rotated-root/1.root.json", want: formats.ReasonKeyNotTrusted},
}

// The repository has a first root without valid signatures, and the one that counts under its plain name.
var goTUFVectors = []vector{
	{files: "root.json root.json"},
	{files: "targets.json root.json"},
	{files: "snapshot.json root.json"},
	{files: "timestamp.json root.json"},
	{files: "role1.json root.json targets.json"},
	{files: "role2.json root.json targets.json role1.json"},
	{files: "targets.json 1.root.json", want: formats.ReasonKeyNotValid},
}
