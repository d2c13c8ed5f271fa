from __future__ import annotations

from dataclasses import asdict, replace

from steelyard.localcloud.page import token_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ram import check, errors
from steelyard.localcloud.services.ram.models import Holder
from steelyard.localcloud.services.ram.principal_models import LoginProfile, User, random_digits
from steelyard.localcloud.services.ram.state import RamState
from steelyard.localcloud.wire.error import missing_parameter

MAX_USERS = 1000


class UserActions(RamState):
    """RAM users, and how they would sign in to a console."""

    @action("CreateUser")
    def create_user(self, request: Request) -> dict[str, object]:
        """Create a user, who may do nothing yet."""
        name = check.read_name(request, "UserName")
        if self.find_user(name):
            raise errors.user_exists()
        if self.cloud.terms.has_quotas and len(self.users.list()) >= MAX_USERS:
            raise errors.too_many("User", MAX_USERS)
        now = self.cloud.clock()
        user = User(
            id=f"2{random_digits(17)}",
            created_at=now,
            name=name,
            display_name=request.text("DisplayName"),
            mobile_phone=request.text("MobilePhone"),
            email=request.text("Email"),
            comments=check.read_description(request, "Comments", max_length=check.MAX_COMMENTS),
            updated_at=now,
        )
        self.users.put(user)
        return {"User": user.to_answer()}

    @action("GetUser")
    def get_user(self, request: Request) -> dict[str, object]:
        """Give one user."""
        return {"User": self.user(request).to_answer()}

    @action("ListUsers")
    def list_users(self, request: Request) -> dict[str, object]:
        """List users."""
        page, marker = token_page(
            request, self.users.list(), token_name="Marker", size_name="MaxItems", default=100
        )
        answers = [user.to_answer() for user in page]
        return {"Users": {"User": answers}, "IsTruncated": bool(marker), "Marker": marker or None}

    @action("UpdateUser")
    def update_user(self, request: Request) -> dict[str, object]:
        """Change what is said of a user, or its name; keys, groups and policies stay."""
        user = self.user(request)
        name = user.name
        if request.text("NewUserName"):
            name = check.read_name(request, "NewUserName")
            if name != user.name and self.find_user(name):
                raise errors.user_exists()
        user = replace(
            user,
            name=name,
            display_name=request.text("NewDisplayName", user.display_name),
            mobile_phone=request.text("NewMobilePhone", user.mobile_phone),
            email=request.text("NewEmail", user.email),
            comments=check.read_description(request, "NewComments", user.comments, check.MAX_COMMENTS),
            updated_at=self.cloud.clock(),
        )
        self.users.put(user)
        return {"User": user.to_answer()}

    @action("DeleteUser")
    def delete_user(self, request: Request) -> dict[str, object]:
        """Delete a user who has no key, policy, group or login profile any more."""
        user = self.user(request)
        left = {
            "AccessKey": self.keys_of(user),
            "Policy": self.attachments_of(Holder.USER, user.id),
            "Group": self.memberships_of(user),
            "LoginProfile": user.login,
        }
        for what, there in left.items():
            if there:
                raise errors.still_has("User", what)
        self.users.delete(user.id)
        return {}

    # The console

    @action("CreateLoginProfile")
    def create_login_profile(self, request: Request) -> dict[str, object]:
        """Let a user sign in to the console; there is none here, so that the password is not kept."""
        user = self.user(request)
        if not request.text("Password"):
            raise missing_parameter("Password")
        if user.login is not None:
            raise errors.login_profile_exists()
        return self._put_login(request, user, LoginProfile(created_at=self.cloud.clock()))

    @action("GetLoginProfile")
    def get_login_profile(self, request: Request) -> dict[str, object]:
        """Tell how a user signs in to the console."""
        user = self.user(request)
        return {"LoginProfile": _login_of(user).to_answer(user.name)}

    @action("UpdateLoginProfile")
    def update_login_profile(self, request: Request) -> dict[str, object]:
        """Change how a user signs in to the console."""
        user = self.user(request)
        return self._put_login(request, user, _login_of(user))

    @action("DeleteLoginProfile")
    def delete_login_profile(self, request: Request) -> dict[str, object]:
        """Let a user sign in to the console no more."""
        user = self.user(request)
        _login_of(user)
        self.users.put(replace(user, login=None))
        return {}

    @action("UnbindMFADevice")
    def unbind_mfa_device(self, request: Request) -> dict[str, object]:
        """Tell that a user has no second factor: binding one is not served."""
        self.user(request)
        raise errors.mfa_device_not_found()

    def _put_login(self, request: Request, user: User, login: LoginProfile) -> dict[str, object]:
        login = replace(
            login,
            needs_new_password=request.flag("PasswordResetRequired", login.needs_new_password),
            needs_mfa=request.flag("MFABindRequired", login.needs_mfa),
        )
        self.users.put(replace(user, login=asdict(login)))
        return {"LoginProfile": login.to_answer(user.name)}


def _login_of(user: User) -> LoginProfile:
    login = user.login_profile
    if login is None:
        raise errors.login_profile_not_found()
    return login
