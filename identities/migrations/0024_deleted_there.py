"""A server that held an account before and holds none now is told from one that never did: in words, not in columns."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("identities", "0023_activation_requests"),
    ]

    operations = [
        migrations.AlterField(
            model_name="holding",
            name="state",
            field=models.CharField(
                choices=[
                    ("same", "Same"),
                    ("waiting", "Waiting"),
                    ("refused", "Refused"),
                    ("missing", "Missing"),
                    ("deleted", "Deleted"),
                    ("older", "Older"),
                    ("newer", "Newer"),
                    ("different", "Different"),
                    ("extra", "Extra"),
                    ("expired", "Expired"),
                    ("lazy", "Lazy"),
                    ("unknown", "Unknown"),
                ],
                default="unknown",
                max_length=9,
            ),
        ),
    ]
