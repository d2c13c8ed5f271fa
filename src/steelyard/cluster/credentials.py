"""Whose key calls Alibaba Cloud: found where the vendor's tools find it, and tried by one harmless call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from steelyard import settings
from steelyard.deploy.provider.api import STS, Api
from steelyard.errors import CredentialError, ResourceError

_MEND = (
    f"set {settings.ACCESS_KEY_ID[0]} and {settings.ACCESS_KEY_SECRET[0]}, or run `aliyun configure`; "
    "a key of a RAM user is made at https://ram.console.aliyun.com"
)


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who a key acts as.

    Attributes:
        account_id: The account that pays.
        arn: The user or role, `acs:ram::<account>:…`.
    """

    account_id: str
    arn: str


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """An access key.

    Attributes:
        security_token: That of a temporary key; empty for one that lasts.
        source: Where it was found, in words.
    """

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str = field(default="", repr=False)
    source: str

    @classmethod
    def find(cls, environment: Mapping[str, str], *, profile_file: Path | None = None) -> Credentials:
        """Look in the variables of the vendor's provider and SDKs, then in the `aliyun` CLI's profile.

        Args:
            environment: The environment.
            profile_file: The CLI's file; `~/.aliyun/config.json` where it is not given.

        Raises:
            CredentialError: There is no key, or half of one.
        """
        key_id, key_name = _first(environment, settings.ACCESS_KEY_ID)
        secret, secret_name = _first(environment, settings.ACCESS_KEY_SECRET)
        if key_id and secret:
            token, _ = _first(environment, settings.SECURITY_TOKEN)
            return cls(access_key_id=key_id, access_key_secret=secret, security_token=token, source=key_name)
        if key_id or secret:
            missing = settings.ACCESS_KEY_SECRET[0] if key_id else settings.ACCESS_KEY_ID[0]
            raise CredentialError(f"{key_name or secret_name} is set and {missing} is not", _MEND)
        return cls._of_profile(environment, profile_file or Path.home() / ".aliyun" / "config.json")

    @classmethod
    def _of_profile(cls, environment: Mapping[str, str], file: Path) -> Credentials:
        if not file.is_file():
            raise CredentialError(
                f"there is no access key: no variable holds one, and {file} is not there", _MEND
            )
        # Imported here: it takes 0.3 s, which only this way of finding a key needs.
        from alibabacloud_credentials.exceptions import CredentialException
        from alibabacloud_credentials.provider import CLIProfileCredentialsProvider

        profile, _ = _first(environment, settings.PROFILE)
        try:
            found = CLIProfileCredentialsProvider(
                profile_file=str(file), profile_name=profile or None
            ).get_credentials()
        except CredentialException as err:
            raise CredentialError(f"{file}, profile {profile or 'current'}: {err}", _MEND) from err
        return cls(
            access_key_id=found.get_access_key_id(),
            access_key_secret=found.get_access_key_secret(),
            security_token=found.get_security_token() or "",
            source=f"profile {profile or 'current'} of {file}",
        )

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables by which Pulumi's provider takes the key."""
        token = {settings.SECURITY_TOKEN[0]: self.security_token} if self.security_token else {}
        return {
            settings.ACCESS_KEY_ID[0]: self.access_key_id,
            settings.ACCESS_KEY_SECRET[0]: self.access_key_secret,
            **token,
        }

    def check(self, api: Api) -> Identity:
        """Ask the cloud whose key it is (`GetCallerIdentity`, which every key may call).

        Raises:
            CredentialError: The cloud does not take the key.
            ResourceError: The cloud does not answer.
        """
        try:
            answer = api.call(STS, "GetCallerIdentity", {})
        except ResourceError as err:
            if not err.code:
                raise
            raise CredentialError(
                f"the access key {self.access_key_id} ({self.source}) is not taken: {err.message}", _MEND
            ) from err
        return Identity(account_id=answer["AccountId"], arn=answer["Arn"])


def _first(environment: Mapping[str, str], names: Sequence[str]) -> tuple[str, str]:
    """Return the first of several variables that is set, and its name."""
    return next(((environment[name], name) for name in names if environment.get(name)), ("", ""))
