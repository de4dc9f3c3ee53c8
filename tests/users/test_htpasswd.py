"""Users of an htpasswd file."""

import bcrypt
import pytest

from tests.applications import echo
from totp_gate.errors import ConfigError
from totp_gate.testing import Installation, Person, submit
from totp_gate.users.htpasswd import HtpasswdUsers

# Apache HTTP Server 2.4, Password Formats: both of "myPassword".
APR1 = "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/"
SHA1 = "{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE="
BCRYPT = bcrypt.hashpw(b"correct horse battery", bcrypt.gensalt(4, b"2b")).decode()


def written(folder, text):
    path = folder / "users.htpasswd"
    path.write_text(text)
    return path


def test_users_are_found_by_their_canonical_name(tmp_path):
    path = written(tmp_path, f"# people\n\nAlice:{BCRYPT}\nbob:{BCRYPT}\n")

    users = HtpasswdUsers(path)

    assert users.find("alice").display == "Alice"
    assert users.find("alice").source == "htpasswd"
    assert users.find("Alice") is None
    assert [user.name for user in users.everyone()] == ["alice", "bob"]
    assert users.renew_hash("bob", BCRYPT, "new") is False


@pytest.mark.parametrize(
    ("line", "word"),
    [
        pytest.param("a:$apr1$x$y", "MD5 \\(apr1\\)", id="apr1"),
        pytest.param("a:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "SHA-1", id="sha1"),
        pytest.param("a:abJnggxhB/yWI", "DES", id="crypt"),
        pytest.param("a:$6$salt$hash", "SHA-512", id="sha512 crypt"),
        pytest.param("a:secret", "plain text", id="plain text"),
        pytest.param("a", "line 1 is not name:hash", id="no colon"),
        pytest.param(f"a:{BCRYPT}\nA:{BCRYPT}", "twice", id="one name twice"),
    ],
)
def test_what_cannot_be_used_is_named_and_refused(tmp_path, line, word):
    with pytest.raises(ConfigError, match=word):
        HtpasswdUsers(written(tmp_path, line))


@pytest.mark.parametrize(
    ("kind", "stored"), [("apr1", APR1), ("sha1", SHA1)], ids=["apr1", "sha1"]
)
def test_a_weak_format_counts_where_it_is_named(tmp_path, kind, stored):
    path = written(tmp_path, f"a:{stored}\n")
    other = {"apr1": "sha1", "sha1": "apr1"}[kind]

    with pytest.raises(ConfigError, match=rf'htpasswd_weak = \["{kind}"\]'):
        HtpasswdUsers(path, (other,))
    assert HtpasswdUsers(path, (kind,)).find("a").password_hash == stored


def test_all_lines_that_are_wrong_are_named(tmp_path):
    text = f"a\nb:{BCRYPT}\nc:secret\nd:\n"

    with pytest.raises(ConfigError) as caught:
        HtpasswdUsers(written(tmp_path, text))

    reasons = [reason for _, reason in caught.value.problems]
    assert [reason[:6] for reason in reasons] == ["line 1", "line 3", "line 4"]


def test_who_has_a_weak_hash_signs_in_where_it_is_allowed(tmp_path):
    written(tmp_path, f"carol:{APR1}\n")
    settings = {"htpasswd": "users.htpasswd", "htpasswd_weak": ["apr1"]}
    with Installation(echo, tmp_path, gate=settings) as installation:
        accounts = installation.accounts
        factor = accounts.factors.draw()
        ready = accounts.factors.sealed(factor, "carol", name="x", last=-1, now=1.0)
        accounts.store.add_authenticator(ready, only=True)
        carol = Person("carol", "myPassword", factor.seed)

        assert installation.sign_in(carol).get("/").json["REMOTE_USER"] == "carol"


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be used"):
        HtpasswdUsers(tmp_path / "nothing")


def test_another_hash_is_another_credential(tmp_path):
    first = HtpasswdUsers(written(tmp_path, f"a:{BCRYPT}")).find("a")
    other = bcrypt.hashpw(b"other", bcrypt.gensalt(4)).decode()

    assert HtpasswdUsers(written(tmp_path, f"a:{other}")).find("a").credential != (
        first.credential
    )


def test_such_a_user_signs_in_and_enrolls(tmp_path):
    written(tmp_path, f"carol:{BCRYPT}\n")
    installation = Installation(echo, tmp_path, gate={"htpasswd": "users.htpasswd"})
    accounts = installation.accounts
    factor = accounts.factors.draw()
    ready = accounts.factors.sealed(factor, "carol", name="x", last=-1, now=1.0)
    accounts.store.add_authenticator(ready, only=True)
    carol = Person("carol", "correct horse battery", factor.seed)

    assert installation.sign_in(carol).get("/").json["REMOTE_USER"] == "carol"
    wrong = submit(
        installation.client(), "/_gate/login", username="carol", password="no"
    )
    assert wrong.status_code == 401
