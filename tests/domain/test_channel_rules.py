"""The rules of a clinic's channels: who may, what each kind has, what is refused, and what the log says of it."""

import base64

import pytest
from msgspec.structs import replace

from recado.domain.accounts import Channel
from recado.domain.clinic import Clinic, ClinicMember
from recado.domain.clinic_commands import AddChannel, RotateSecret, UpdateChannel
from recado.domain.clinic_events import clinic_facts_of
from recado.domain.clinic_rules import Office, decide_clinic, evolve_clinic
from recado.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError

ANA = ClinicMember(id="ana", name="Ana", role="admin", active=True)
BRUNO = ClinicMember(id="bruno", name="Bruno", role="agent", active=True)
CLINIC = Clinic(id=1, name="Ipê", members=(ANA, BRUNO), labels=(), canned_replies=(), version=7)
KEY = "whsec_" + base64.b64encode(b"k" * 32).decode()
FRESH = {"fresh_secret": KEY, "fresh_verify_token": "fresh-token"}
SITE = Channel(id="site", clinic_id=1, kind="generic", name="Site", secret="whsec_old")
PHONE = Channel(
    id="phone",
    clinic_id=1,
    kind="whatsapp",
    name="WhatsApp",
    secret="app secret",
    verify_token="old",
    phone_number_id="1",
    access_token="token",
)


def decide(command, *channels):
    return decide_clinic(Office(clinic=CLINIC, channels=channels), command, new_id=None)


def add(by="ana", **fields):
    fields = {"channel_id": "new", "kind": "generic", "name": "Site", **FRESH, **fields}
    return AddChannel(clinic_id=1, member_id=by, client_key="k", **fields)


def update(by="ana", channel_id="phone", **fields):
    return UpdateChannel(clinic_id=1, member_id=by, client_key="k", channel_id=channel_id, **fields)


def rotate(channel_id, by="ana"):
    return RotateSecret(clinic_id=1, member_id=by, client_key="k", channel_id=channel_id, **FRESH)


def test_a_generic_channel_begins_with_a_fresh_secret_and_a_whatsapp_channel_with_a_verify_token():
    [site] = decide(add(name=" Site  novo "))
    [phone] = decide(add(kind="whatsapp", phone_number_id="55", access_token="t", secret="app-secret"))
    assert site.channel == Channel(id="new", clinic_id=1, kind="generic", name="Site novo", secret=KEY)
    assert (phone.channel.secret, phone.channel.verify_token) == ("app-secret", "fresh-token")
    assert (phone.channel.phone_number_id, phone.channel.access_token) == ("55", "t")


def test_a_whatsapp_channel_may_wait_for_its_app_secret_and_trusts_nobody_meanwhile():
    [phone] = decide(add(kind="whatsapp"))
    assert phone.channel.secret == ""


def test_an_update_changes_what_it_names_and_none_takes_away():
    [event] = decide(update(access_token="new", phone_number_id=None), SITE, PHONE)
    assert event.after == replace(PHONE, access_token="new", phone_number_id=None)


def test_an_update_that_changes_nothing_makes_no_record():
    assert decide(update(name="WhatsApp", access_token="token", active=True), PHONE) == ()


def test_what_stands_there_already_is_not_judged_again():
    old = replace(SITE, outbound_url="http://10.0.0.1/")
    [event] = decide(update(channel_id="site", name="Outro", outbound_url="http://10.0.0.1/"), old)
    assert event.changed == ["name"]


def test_rotating_makes_anew_what_is_ours():
    [site], [phone] = decide(rotate("site"), SITE, PHONE), decide(rotate("phone"), SITE, PHONE)
    assert site.after == replace(SITE, secret=KEY)
    assert phone.after == replace(PHONE, verify_token="fresh-token")


def test_records_and_prints_name_what_changed_and_hold_no_key():
    events = [
        *decide(add(secret=KEY)),
        *decide(update(access_token="s3cret", outbound_url="https://s3cret.example", active=False), PHONE),
        *decide(rotate("site"), SITE),
    ]
    assert [clinic_facts_of(event) for event in events] == [
        {"channelId": "new"},
        {
            "channelId": "phone",
            "changed": ["access_token", "active", "outbound_url"],
            "active": [True, False],
        },
        {"channelId": "site", "changed": ["secret"]},
    ]
    for shown in (*events, add(secret=KEY), update(access_token="s3cret"), rotate("site")):
        assert "s3cret" not in repr(shown)
        assert KEY not in repr(shown)


def test_the_clinic_as_members_see_it_stays_as_it_is():
    for event in (*decide(add()), *decide(rotate("site"), SITE)):
        assert evolve_clinic(CLINIC, event, 8) is CLINIC


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"name": " "}, "name", "empty"),
        ({"name": "x" * 101}, "name", "too_long"),
        ({"secret": "whsec_ção" + "A" * 40}, "secret", "wrong_format"),
        ({"kind": "whatsapp", "secret": "with space"}, "secret", "wrong_format"),
        ({"kind": "whatsapp", "secret": ""}, "secret", "wrong_format"),
        ({"kind": "whatsapp", "access_token": "a\nb"}, "accessToken", "wrong_format"),
        ({"kind": "whatsapp", "access_token": "x" * 1025}, "accessToken", "wrong_format"),
        ({"kind": "whatsapp", "phone_number_id": "+55"}, "phoneNumberId", "wrong_format"),
        ({"kind": "whatsapp", "phone_number_id": "١٢"}, "phoneNumberId", "wrong_format"),
        ({"phone_number_id": "55"}, "phoneNumberId", "of_another_kind"),
        ({"access_token": "t"}, "accessToken", "of_another_kind"),
        ({"outbound_url": "http://patients.example/in"}, "outboundUrl", "wrong_format"),
        ({"outbound_url": "https://"}, "outboundUrl", "wrong_format"),
        ({"outbound_url": "https://[::1"}, "outboundUrl", "wrong_format"),
        ({"outbound_url": "https://x.example:99999/"}, "outboundUrl", "wrong_format"),
        ({"outbound_url": "https://me:word@x.example/"}, "outboundUrl", "wrong_format"),
        ({"outbound_url": "https://x.example/#a"}, "outboundUrl", "wrong_format"),
        ({"outbound_url": "https://x.example/ á"}, "outboundUrl", "wrong_format"),
        ({"outbound_url": "https://x.example/" + "a" * 2000}, "outboundUrl", "wrong_format"),
        ({"outbound_url": "file:///etc/passwd"}, "outboundUrl", "wrong_format"),
    ],
)
def test_what_will_not_do_is_refused_by_path_and_code(fields, path, code):
    with pytest.raises(ConflictError if code == "of_another_kind" else InvalidError) as refused:
        decide(add(**fields))
    assert refused.value.errors == ((path, code),)


@pytest.mark.parametrize(
    "secret",
    [
        KEY.removeprefix("whsec_"),
        "whsec_",
        "whsec_" + "A" * 33,
        "whsec_" + base64.b64encode(b"k" * 23).decode(),
        "whsec_" + base64.b64encode(b"k" * 65).decode(),
    ],
)
def test_what_would_do_for_whatsapp_and_is_no_key_conflicts_with_a_generic_channel(secret):
    for command in (add(secret=secret), update(channel_id="site", secret=secret)):
        with pytest.raises(ConflictError) as refused:
            decide(command, SITE)
        assert refused.value.errors == (("secret", "wrong_format"),)


def test_the_operator_may_send_replies_to_a_plain_address_of_the_own_network():
    [event] = decide(add(by=None, outbound_url="http://10.0.0.1:8009/generic"))
    assert event.channel.outbound_url == "http://10.0.0.1:8009/generic"


def test_only_an_admin_of_the_clinic_may():
    for by, error in (("bruno", ForbiddenError), ("nobody", NotFoundError)):
        for command in (add(by), update(by, name="x"), rotate("phone", by)):
            with pytest.raises(error):
                decide(command, PHONE)


def test_a_channel_that_is_none_of_the_clinics_is_not_found():
    for command in (update(channel_id="another", name="x"), rotate("another")):
        with pytest.raises(NotFoundError):
            decide(command, SITE)


def test_a_clinic_has_a_bound_of_channels():
    with pytest.raises(InvalidError):
        decide(add(), *[replace(SITE, id=str(n)) for n in range(50)])
    assert decide(add(), *[replace(SITE, id=str(n)) for n in range(49)])
