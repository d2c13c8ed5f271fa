"""Opens what Pulumi's passphrase secrets provider has sealed.

The form is that of pulumi's `sdk/go/common/resource/config/crypt.go` and `pkg/secrets/passphrase/manager.go`: the key
is PBKDF2-HMAC-SHA256 of the passphrase (1,000,000 rounds, 32 bytes); a value is `v1:<nonce>:<ciphertext>` under
AES-256-GCM, in base64; the salt is `v1:<salt>:<value>`, whose value opens to `pulumi` under the right passphrase.
"""

from __future__ import annotations

import base64
import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from steelyard.errors import UsageError

_NUM_ROUNDS = 1_000_000
_NUM_KEY_BYTES = 32
_PROOF = "pulumi"


class PassphraseOpener:
    """Opens the secrets of one stack.

    Args:
        salt: The stack file's `encryptionsalt`.
        passphrase: The passphrase.

    Raises:
        UsageError: If the salt is of another form, or the passphrase is not the one that sealed.
    """

    def __init__(self, salt: str, passphrase: str) -> None:
        version, _, rest = salt.partition(":")
        encoded, _, proof = rest.partition(":")
        if version != "v1" or not encoded or not proof:
            raise UsageError(
                f"encryptionsalt {salt!r} is not of the form v1:<salt>:<proof>",
                "let `pulumi stack change-secrets-provider passphrase` write it anew",
            )
        raw = base64.b64decode(encoded)
        key = hashlib.pbkdf2_hmac("sha256", passphrase.encode(), raw, _NUM_ROUNDS, _NUM_KEY_BYTES)
        self._cipher = AESGCM(key)
        if self.open(proof) != _PROOF:
            raise UsageError(f"encryptionsalt {salt!r} proves no passphrase", "let Pulumi write it anew")

    def open(self, sealed: str) -> str:
        """Return the text of a sealed value.

        Raises:
            UsageError: If it is of another form or was sealed with another key.
        """
        parts = sealed.split(":")
        if len(parts) != 3 or parts[0] != "v1":
            raise UsageError(
                "a secret is not of the form v1:<nonce>:<ciphertext>",
                "only secrets of the passphrase provider can be opened here",
            )
        try:
            nonce, ciphertext = (base64.b64decode(part) for part in parts[1:])
            return self._cipher.decrypt(nonce, ciphertext, None).decode()
        except (InvalidTag, ValueError) as err:
            raise UsageError(
                "the passphrase is not the one that the stack's secrets were sealed with",
                "set PULUMI_CONFIG_PASSPHRASE to the stack's passphrase",
            ) from err
