"""Sessions are kept by the hash of what the browser holds: those that were kept by that itself end.

So they do on the way back, where a hash in a copy of the database would let in whoever shows it.
"""

from django.db import migrations


def end(apps, schema_editor):
    alias = schema_editor.connection.alias
    for app, model in (("sessions", "Session"), ("usersessions", "UserSession")):
        apps.get_model(app, model).objects.using(alias).all().delete()


class Migration(migrations.Migration):

    dependencies = [
        ("identities", "0028_api_call_rights"),
        ("sessions", "0001_initial"),
        ("usersessions", "0001_initial"),
    ]

    operations = [
        migrations.RunPython(end, end),
    ]
