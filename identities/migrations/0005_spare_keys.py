from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('identities', '0004_suspended_users'),
    ]

    operations = [
        migrations.AlterField(
            model_name='key',
            name='purpose',
            field=models.CharField(choices=[('identity', 'Identity'), ('signing', 'Signing'), ('role', 'Role'), ('curve', 'Curve'), ('spare', 'Spare')], max_length=16),
        ),
    ]
