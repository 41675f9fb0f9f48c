"""Names of webhooks are their operator's, names of trust rules their role's: who sees neither learns of neither."""

from django.db import migrations, models
from django.db.models.functions import Lower


class Migration(migrations.Migration):

    dependencies = [
        ("identities", "0026_holding_expiry"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="webhook", name="webhook_name_unique"),
        migrations.RemoveConstraint(model_name="workloadrule", name="workload_rule_name_unique"),
        migrations.AddConstraint(
            model_name="webhook",
            constraint=models.UniqueConstraint(
                models.F("operator"),
                Lower("name"),
                condition=models.Q(("operator__isnull", False)),
                name="webhook_name_unique",
            ),
        ),
        migrations.AddConstraint(
            model_name="webhook",
            constraint=models.UniqueConstraint(
                Lower("name"), condition=models.Q(("operator", None)), name="webhook_of_all_name_unique"
            ),
        ),
        migrations.AddConstraint(
            model_name="workloadrule",
            constraint=models.UniqueConstraint(
                models.F("signing_key"),
                Lower("name"),
                condition=models.Q(("deleted_at", None)),
                name="workload_rule_name_unique",
            ),
        ),
    ]
