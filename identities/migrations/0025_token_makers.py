"""API tokens remember who made them; of those that there are, the audit does."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def fill(apps, schema_editor):
    tokens = apps.get_model("identities", "ApiToken").objects
    people = set(apps.get_model("identities", "Person").objects.values_list("pk", flat=True))
    targets = apps.get_model("identities", "AuditTarget").objects
    tokens.filter(person__isnull=False).update(maker=models.F("person"))
    for token in tokens.filter(person=None, maker=None):
        made = targets.filter(
            kind="api-token",
            key=f"api-token:{token.pk}",
            name__endswith=f"({token.prefix})",
            event__action="api-token.create",
        )
        kind, _, number = (made.values_list("event__actor", flat=True).first() or "").partition(":")
        if kind == "person" and number.isdecimal() and int(number) in people:
            tokens.filter(pk=token.pk).update(maker=int(number))


class Migration(migrations.Migration):

    dependencies = [
        ("identities", "0024_deleted_there"),
    ]

    operations = [
        migrations.AddField(
            model_name="apitoken",
            name="maker",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
