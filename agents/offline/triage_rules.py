"""The rules of the ticket triage, in English and Portuguese: stems of words and what they mean."""

PRIORITIES = ("low", "normal", "high", "urgent")
# The first rule whose stem begins a word of the ticket wins.
PRIORITY_RULES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "urgent",
        (
            "urgent",
            "emergenc",
            "fire",
            "smoke",
            "flood",
            "leak",
            "injur",
            "gas",
            "danger",
            "outage",
            "down",
            "breach",
            "stuck",
        )
        + (
            "incendio",
            "fogo",
            "fumaca",
            "inundac",
            "vazamento",
            "vazando",
            "ferid",
            "perigo",
            "fora do ar",
            "invas",
            "pres[oa] no",
        ),
    ),
    (
        "high",
        (
            "broken",
            "not work",
            "does not work",
            "fail",
            "error",
            "no hot water",
            "no water",
            "no power",
            "complain",
            "angry",
            "refund",
        )
        + (
            "cannot",
            "double charge",
            "charged twice",
            "locked out",
            "quebrad",
            "nao funciona",
            "falha",
            "erro",
            "sem agua",
        )
        + ("sem energia", "sem internet", "reclam", "reembolso", "cobrad[oa] duas", "nao consigo"),
    ),
    (
        "low",
        (
            "question",
            "suggest",
            "thank",
            "feedback",
            "when ",
            "how ",
            "duvida",
            "sugest",
            "obrigad",
            "elogio",
            "informac",
        ),
    ),
)
ACTION_RULES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("fire", "smoke", "gas", "incendio", "fogo", "fumaca"), "Call the emergency team and clear the area."),
    (
        ("leak", "flood", "water", "toilet", "pipe", "vazamento", "vazando", "inundac", "agua", "banheiro"),
        "Send a plumber.",
    ),
    (
        ("air condition", "heating", "ar condicionado", "ar-condicionado", "aquecedor"),
        "Send a technician for heating and cooling.",
    ),
    (("power", "light", "electric", "energia", "luz", "eletric"), "Send an electrician."),
    (("wifi", "wi-fi", "internet", "network", "server", "rede", "servidor"), "Have IT check the connection."),
    (
        ("invoice", "charge", "refund", "bill", "payment", "fatura", "cobran", "cobrad", "reembolso", "pagamento"),
        "Have billing check it.",
    ),
    (("password", "login", "access", "key", "locked", "senha", "acesso", "chave"), "Restore the access."),
    (("noise", "loud", "barulho", "ruido"), "Have the front desk talk to the neighbours."),
    (("clean", "towel", "dirty", "limp", "toalha", "suj"), "Send housekeeping."),
)
DEFAULT_ACTION = "Answer the customer."
