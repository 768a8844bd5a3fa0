"""Django: migrate with the auth application, models, JSONField lookups, inspectdb. DSN in the first argument."""

import io
import sys
from urllib.parse import urlsplit

import django
from django.conf import settings

url = urlsplit(sys.argv[1])
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": url.path[1:], "USER": url.username or "", "PASSWORD": url.password or "",
                           "HOST": url.hostname, "PORT": url.port}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
)
django.setup()

from django.contrib.auth.models import Group, Permission, User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import IntegrityError, connection, models, transaction  # noqa: E402
from django.db.models import Count, F, Q  # noqa: E402

call_command("migrate", verbosity=0)
User.objects.all().delete()
user = User.objects.create_user("ada", "ada@example.org", "secret")
group, _ = Group.objects.get_or_create(name="readers")
group.permissions.set(Permission.objects.filter(codename__startswith="view_"))
user.groups.add(group)
assert User.objects.get(username="ada").check_password("secret")
assert user.has_perm("auth.view_user") and not user.has_perm("auth.delete_user")


class Article(models.Model):
    title = models.CharField(max_length=100, db_index=True)
    meta = models.JSONField(default=dict)
    views = models.IntegerField(default=0)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="articles")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "auth"
        constraints = [models.CheckConstraint(condition=Q(views__gte=0), name="views_positive"),
                       models.UniqueConstraint(fields=["title", "owner"], name="title_of_owner")]


with connection.schema_editor() as editor:
    if Article._meta.db_table in connection.introspection.table_names():
        editor.delete_model(Article)
    editor.create_model(Article)
Article.objects.bulk_create([
    Article(title="one", meta={"tags": ["a", "b"], "n": 1, "deep": {"x": None}}, owner=user),
    Article(title="two", meta={"tags": ["b"], "n": 2}, views=5, owner=user),
    Article(title="three", meta={"n": 10, "deep": {"x": "y"}}, owner=user),
])
titles = lambda **kw: sorted(Article.objects.filter(**kw).values_list("title", flat=True))  # noqa: E731
assert titles(meta__n=2) == ["two"]
assert titles(meta__n__gt=1) == ["three", "two"], titles(meta__n__gt=1)
assert titles(meta__tags__contains=["b"]) == ["one", "two"]
assert titles(meta__has_key="deep") == ["one", "three"]
assert titles(meta__deep__x="y") == ["three"]
assert titles(meta__deep__x__isnull=False) == ["one", "three"]
assert titles(meta__contained_by={"n": 2, "tags": ["b", "c"]}) == ["two"]
assert titles(title__icontains="O", created__year__gte=2020) == ["one", "two"]
assert Article.objects.filter(title="two").update(views=F("views") + 1) == 1
assert Article.objects.get(title="two").views == 6
assert list(User.objects.annotate(n=Count("articles")).values_list("username", "n")) == [("ada", 3)]
assert Article.objects.order_by("-views", "title").first().title == "two"
for bad in (dict(title="one"), dict(title="four", views=-1)):
    try:
        with transaction.atomic():
            Article.objects.create(owner=user, **bad)
        raise AssertionError(f"{bad} was accepted")
    except IntegrityError:
        pass
with transaction.atomic():
    locked = Article.objects.select_for_update().get(title="one")
    locked.meta["n"] = 11
    locked.save()
assert Article.objects.get(title="one").meta["n"] == 11
obj, created = Article.objects.update_or_create(title="one", owner=user, defaults={"views": 3})
assert not created and obj.views == 3
with connection.schema_editor() as editor:
    field = models.TextField(null=True)
    field.set_attributes_from_name("summary")
    editor.add_field(Article, field)
out = io.StringIO()
call_command("inspectdb", "auth_user", "auth_article", stdout=out)
assert "class AuthArticle(models.Model):" in out.getvalue() and "models.JSONField()" in out.getvalue() and "ForeignKey" in out.getvalue(), out.getvalue()
user.delete()
assert Article.objects.count() == 0
with connection.schema_editor() as editor:
    editor.delete_model(Article)
print("Django: passed")
