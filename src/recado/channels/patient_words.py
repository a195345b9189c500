"""What played patients say, and the signed webhooks that their providers would post. Pure; made-up people only."""

import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from msgspec import Struct

from recado.channels.signatures import sign, sign_whatsapp
from recado.domain.instants import instant
from recado.domain.values import ChannelKind

# 19 and 23 have no common divisor: a name comes back only after all pairs.
FIRST_NAMES = """
    Maria José João Antônia Francisco Adriana Carlos Juliana Paulo Márcia Pedro Fernanda Lucas Patrícia Marcos Aline
    Luís Sandra Rafael
""".split()  # noqa: SIM905  # one name a line would hide what they are for
LAST_NAMES = """
    Silva Santos Oliveira Souza Rodrigues Ferreira Alves Pereira Lima Gomes Costa Ribeiro Martins Carvalho Almeida
    Lopes Soares Fernandes Vieira Barbosa Rocha Dias Nascimento
""".split()  # noqa: SIM905  # the same

LINES = (
    "Bom dia! Gostaria de marcar uma consulta 🙏",
    "Boa tarde, tudo bem?",
    "Vocês atendem pelo convênio?",
    "Qual o valor da consulta particular?",
    "Preciso remarcar meu horário de amanhã, surgiu um imprevisto",
    "Tem encaixe para hoje?",
    "É para a minha filha, ela tem 6 anos",
    "Pode ser quinta às 10h",
    "Sexta de manhã fica melhor pra mim",
    "Precisa de jejum para o exame?",
    "O resultado já saiu?",
    "Segue o pedido do médico",
    "Ontem senti tontura de novo, devo me preocupar?",
    "O remédio acabou, consigo uma nova receita?",
    "Tomo um comprimido de manhã e um à noite, certo?",
    "Estou com um pouco de febre desde ontem",
    "Onde fica a clínica? Tem estacionamento?",
    "Cheguei na recepção",
    "Vou atrasar uns 10 minutinhos, desculpa",
    "Confirmo presença 👍",
    "Posso levar um acompanhante?",
    "Vocês emitem recibo para o imposto de renda?",
    "Preciso de um atestado para o trabalho",
    "A doutora atende aos sábados?",
    "Qual o telefone do laboratório?",
    "Desculpa a demora, estava no trabalho",
    "Sim",
    "Não, obrigada",
    "Ok, combinado então!",
    "Muito obrigado pela atenção 😊",
    "Só uma dúvida: a consulta de retorno é paga?\nNa recepção me disseram que não, mas no site está diferente.",
)
CAPTIONS = ("Segue o pedido do exame", "Foto da receita", "É este remédio aqui", "")

IMAGE_SHARE = 0.06
REPLY_SHARE = 0.08


class PatientChannel(Struct, frozen=True, kw_only=True):
    """A channel with the keys its provider would have."""

    id: str
    kind: ChannelKind
    secret: str
    phone_number_id: str | None = None

    def __repr__(self) -> str:
        return f"<PatientChannel {self.id}>"


class Delivery(NamedTuple):
    """A webhook before it is signed: a repeat is signed anew, with the time of the repeat."""

    channel: PatientChannel
    external_id: str
    body: bytes

    @property
    def path(self) -> str:
        place = "whatsapp" if self.channel.kind == "whatsapp" else "inbound"
        return f"/api/v1/channels/{self.channel.id}/{place}"

    def headers(self, now_s: float) -> dict[str, str]:
        signed = (
            {"X-Hub-Signature-256": sign_whatsapp(self.channel.secret, self.body)}
            if self.channel.kind == "whatsapp"
            else sign(self.channel.secret, f"msg_{self.external_id}", int(now_s), self.body)
        )
        return {"Content-Type": "application/json", **signed}


class Patient:
    """Number `number` is the same person in every run, so that their conversation goes on."""

    def __init__(self, number: int, channel: PatientChannel) -> None:
        self.channel = channel
        first, last = FIRST_NAMES[number % len(FIRST_NAMES)], LAST_NAMES[number % len(LAST_NAMES)]
        self.name = f"{first} {last}"
        self.address = f"55119{70_000_000 + number}"
        self._last_external_id: str | None = None

    def write(self, dice: random.Random, now_s: float, text: str | None = None) -> Delivery:
        """Their next message: `text`, or what they happen to say."""
        external_id = f"{dice.getrandbits(96):024x}"
        if self.channel.kind == "whatsapp":
            external_id = f"wamid.{external_id}"
            value = self._whatsapp(external_id, dice, now_s, text)
        else:
            value = {
                "externalId": external_id,
                "from": {"id": self.address, "name": self.name},
                "body": text or dice.choice(LINES),
                "sentAt": instant(datetime.fromtimestamp(now_s, UTC)),
            }
        self._last_external_id = external_id
        return Delivery(self.channel, external_id, json.dumps(value).encode())

    def _whatsapp(
        self, external_id: str, dice: random.Random, now_s: float, text: str | None
    ) -> Mapping[str, Any]:
        message: dict[str, Any] = {"from": self.address, "id": external_id, "timestamp": str(int(now_s))}
        if text is None and dice.random() < IMAGE_SHARE:
            media = {
                "id": f"{dice.getrandbits(50)}",
                "mime_type": "image/jpeg",
                "caption": dice.choice(CAPTIONS),
            }
            message |= {"type": "image", "image": media}
        else:
            message |= {"type": "text", "text": {"body": text or dice.choice(LINES)}}
        if self._last_external_id and dice.random() < REPLY_SHARE:
            message["context"] = {"from": self.address, "id": self._last_external_id}
        value = {
            "messaging_product": "whatsapp",
            "metadata": {"phone_number_id": self.channel.phone_number_id},
            "contacts": [{"profile": {"name": self.name}, "wa_id": self.address}],
            "messages": [message],
        }
        changes = [{"field": "messages", "value": value}]
        return {"object": "whatsapp_business_account", "entry": [{"changes": changes}]}
