import pytest

from vote.settings import Settings, SettingsError


def test_defaults():
    settings = Settings.from_environment({})
    assert (settings.redis_host, settings.redis_port, settings.redis_timeout) == ("redis-service", 6379, 2)
    assert (settings.option_a, settings.option_b) == ("Cats", "Dogs")


def test_every_problem_is_named_at_once():
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment(
            {"REDIS_PORT": "high", "LOG_LEVEL": "loud", "RESULT_URL": "javascript:alert(1)", "DRAIN_SECONDS": "-1",
             "REDIS_PASSWORD_FILE": "/does/not/exist"}
        )
    for part in ("REDIS_PORT='high'", "from 1 to 65535", "LOG_LEVEL='loud'", "debug, info", "RESULT_URL", "DRAIN_SECONDS", "REDIS_PASSWORD_FILE"):
        assert part in str(caught.value)


def test_a_secret_file_wins(tmp_path):
    (tmp_path / "password").write_text("from-file\n")
    settings = Settings.from_environment({"REDIS_PASSWORD": "from-value", "REDIS_PASSWORD_FILE": str(tmp_path / "password")})
    assert settings.redis_password == "from-file"
