"""What a server was seen to hold is known with its expiry: of what was seen before, from the texts that are here."""

import base64
import hashlib
import json

from django.db import migrations, models


def _expiry(text):
    """`exp` of a JWT, 0 for none and for what can't be read."""
    try:
        part = text.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["exp"]
    except (IndexError, KeyError, TypeError, ValueError, RecursionError):
        return 0
    return found if type(found) is int and 0 < found < 2**62 else 0


def fill_in(apps, schema_editor):
    """Texts signed here are in the ledger, those made elsewhere with the delivery that stopped before them."""
    alias = schema_editor.connection.alias
    holdings = apps.get_model("identities", "Holding").objects.using(alias)
    seen = holdings.exclude(digest="").values("account_key")
    ours = apps.get_model("identities", "IssuedToken").objects.using(alias)
    ours = ours.filter(kind="account", exp__gt=0, subject__in=seen).values_list("subject", "text", "exp")
    theirs = apps.get_model("identities", "Delivery").objects.using(alias)
    theirs = theirs.exclude(found="").values_list("account_key", "found")
    told = [*ours.iterator(), *((key, text, _expiry(text)) for key, text in theirs.iterator())]
    for key, text, exp in told:
        if exp:
            digest = hashlib.sha256(text.encode()).hexdigest()
            holdings.filter(account_key=key, digest=digest).update(exp=exp)


class Migration(migrations.Migration):

    dependencies = [
        ("identities", "0025_token_makers"),
    ]

    operations = [
        migrations.AddField(
            model_name="holding",
            name="exp",
            field=models.BigIntegerField(default=0),
        ),
        migrations.RunPython(fill_in, migrations.RunPython.noop),
    ]
