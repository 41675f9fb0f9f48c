from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('identities', '0009_clusters'),
    ]

    operations = [
        migrations.RemoveField(
            model_name='delivery',
            name='fence',
        ),
        migrations.RemoveField(
            model_name='delivery',
            name='lease_until',
        ),
        migrations.AddField(
            model_name='delivery',
            name='found',
            field=models.TextField(blank=True, default=''),
        ),
    ]
