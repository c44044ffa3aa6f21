"""How passwords are hashed."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2(Argon2PasswordHasher):
    """Argon2id at OWASP's parameters; Django's own take 100 MB for each login, too much for a burst of them."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1
