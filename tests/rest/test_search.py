"""Search over HTTP: what the page looks like, whose it is, and that a question is never told on."""

from rest.service import AROEIRA, CARLA, IPE, fields

SEARCH = f"/api/v1/clinics/{IPE}/search"
QUESTION = "paciente-com-febre"


async def test_hits_come_with_their_conversation_and_highlights_page_by_page(service):
    for body in ("Cabeça dói", "Nada", "dor de cabeca 😀"):
        await service.receive(body)
    ana = await service.member()
    first = (await ana.get(SEARCH, params={"q": "CABECA", "limit": 1})).json()
    assert first.keys() == {"items", "before", "seq"}
    [hit] = first["items"]
    assert hit.keys() == {"message", "conversation", "highlights"}
    assert (hit["message"]["body"], hit["highlights"]) == ("dor de cabeca 😀", [{"start": 7, "end": 13}])
    assert hit["conversation"]["id"] == hit["message"]["conversationId"]
    rest = (await ana.get(SEARCH, params={"q": "CABECA", "limit": 1, "before": first["before"]})).json()
    assert [hit["message"]["body"] for hit in rest["items"]] == ["Cabeça dói"]
    assert rest["before"] is None


async def test_only_the_clinics_own_members_find_its_words(service):
    await service.receive("segredo", address="ines")
    await service.receive("segredo deles", address="rita", clinic_id=AROEIRA)
    carla = await service.member(CARLA)
    assert (await carla.get(SEARCH, params={"q": "segredo"})).status_code == 404
    theirs = (await carla.get(f"/api/v1/clinics/{AROEIRA}/search", params={"q": "segredo"})).json()
    assert [hit["message"]["body"] for hit in theirs["items"]] == ["segredo deles"]


async def test_any_question_is_answered_and_a_made_up_place_is_refused_by_name(service):
    await service.receive("Bom dia")
    ana = await service.member()
    for asked in ("", '"', "* OR NEAR(", "a" * 10_000, "é " * 3_000):
        answer = await ana.get(SEARCH, params={"q": asked})
        assert (answer.status_code, answer.json()["items"]) == (200, [])
    assert (await ana.get(SEARCH)).json()["items"] == []
    for before in ("", "x", "1.2.3", "-1.0.0.0.0", "0.0.0.0." + "9" * 30, "٣.0.0.0.0"):
        refused = await ana.get(SEARCH, params={"q": "bom", "before": before})
        assert refused.status_code == 400
        assert fields(refused) == [("before", "wrong_format")]


async def test_the_question_is_in_no_log_line(service, capture):
    ana = await service.member()
    assert (await ana.get(SEARCH, params={"q": QUESTION})).status_code == 200
    assert (await ana.get(SEARCH, params={"q": QUESTION, "before": QUESTION})).status_code == 400
    await capture.line("request")
    assert QUESTION not in repr(capture.lines)
