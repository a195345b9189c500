"""Routes of what a clinic keeps: settings, members, passwords. docs/rest.md, "Clinics and members"."""

from litestar import Response, get, patch, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from recado.app.clinics import (
    ChangePasswordOrder,
    Clinics,
    Invitation,
    InviteOrder,
    PasswordResult,
    ResetPasswordOrder,
    UpdateClinicOrder,
    UpdateMemberOrder,
)
from recado.domain.clinic import Clinic, MemberDetails
from recado.domain.values import ClinicId
from recado.errors import (
    AlreadyMemberError,
    ClinicChangedError,
    ConflictError,
    LastAdminError,
    MemberSharedError,
    PasswordTemporaryError,
    RateLimitedError,
)
from recado.rest import parameters
from recado.rest.at_once import Reads, answered
from recado.rest.authentication import MemberRequest
from recado.rest.commands import changing
from recado.rest.conversations import CACHED_READING, READING
from recado.rest.problems import refusals


@get(
    "/clinics/{clinicId:str}",
    operation_id="getClinic",
    summary="Read the clinic",
    description="What the clinic keeps: members, labels, canned replies, waiting limit, hours.",
    response_description="The clinic.",
    responses=CACHED_READING,
    tags=["Clinic"],
)
async def get_clinic(
    request: MemberRequest,
    reads: NamedDependency[Reads],
    clinic_id: parameters.ClinicPath,
    seen: parameters.Seen = None,
) -> Response[Clinic]:
    answer, target = await reads.pages.clinic(
        request.user, ClinicId(clinic_id), after=parameters.seen_of(seen)
    )
    return answered(request, reads, answer, target)


@patch(
    "/clinics/{clinicId:str}",
    operation_id="updateClinic",
    summary="Update the clinic",
    description="Changes what the body names, all at once: a list replaces the whole list, null takes away. Admins.",
    response_description="The clinic as it is now.",
    responses=changing(ConflictError, ClinicChangedError),
    tags=["Clinic"],
)
async def update_clinic(
    request: MemberRequest, clinics: NamedDependency[Clinics], data: JSONBody[UpdateClinicOrder]
) -> Clinic:
    return await clinics.update(request.user, data)


@get(
    "/clinics/{clinicId:str}/members",
    operation_id="listMembers",
    summary="List members",
    description="The clinic's members with their e-mail addresses, who is deactivated too. Admins.",
    response_description="The members.",
    responses=READING,
    tags=["Clinic"],
)
async def list_members(
    request: MemberRequest, clinics: NamedDependency[Clinics], clinic_id: parameters.ClinicPath
) -> list[MemberDetails]:
    return await clinics.members(request.user, ClinicId(clinic_id))


@post(
    "/clinics/{clinicId:str}/members",
    status_code=200,
    operation_id="inviteMember",
    summary="Invite a member",
    description="Lets a person in. Who is new gets a temporary password, which the answer tells to be handed over; "
    "who serves another clinic keeps name and password. Admins.",
    response_description="Who was let in.",
    responses=changing(AlreadyMemberError, PasswordTemporaryError),
    tags=["Clinic"],
)
async def invite_member(
    request: MemberRequest, clinics: NamedDependency[Clinics], data: JSONBody[InviteOrder]
) -> Invitation:
    return await clinics.invite(request.user, data)


@patch(
    "/clinics/{clinicId:str}/members/{memberId:str}",
    operation_id="updateMember",
    summary="Update a member",
    description="Gives a member another role, takes their access away or gives it back. What they wrote stays theirs. "
    "Admins.",
    response_description="The clinic as it is now.",
    responses=changing(ClinicChangedError, LastAdminError),
    tags=["Clinic"],
)
async def update_member(
    request: MemberRequest, clinics: NamedDependency[Clinics], data: JSONBody[UpdateMemberOrder]
) -> Clinic:
    return await clinics.update_member(request.user, data)


@post(
    "/clinics/{clinicId:str}/members/{memberId:str}/password",
    status_code=200,
    operation_id="resetPassword",
    summary="Reset a password",
    description="Gives a member of this clinic alone a temporary password and ends all their sessions. Admins.",
    response_description="The temporary password.",
    responses=changing(MemberSharedError),
    tags=["Clinic"],
)
async def reset_password(
    request: MemberRequest, clinics: NamedDependency[Clinics], data: JSONBody[ResetPasswordOrder]
) -> PasswordResult:
    return await clinics.reset_password(request.user, data)


@post(
    "/me/password",
    status_code=204,
    operation_id="changePassword",
    summary="Change my password",
    description="Takes the present one, too. All other sessions of the member end.",
    response_description="The password is the new one.",
    responses=changing(ConflictError) | refusals(RateLimitedError),
    tags=["Session"],
)
async def change_password(
    request: MemberRequest, clinics: NamedDependency[Clinics], data: JSONBody[ChangePasswordOrder]
) -> None:
    await clinics.change_password(request.user, data)
