"""An answer that is kept remembers the roles with which it was given; older ones are given to nobody any more."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("identities", "0027_names_within_their_scope"),
    ]

    operations = [
        migrations.AddField(
            model_name="apicall",
            name="rights",
            field=models.CharField(blank=True, default="", max_length=64),
        ),
    ]
