"""What every test may rely on."""

import signal

from hypothesis import settings

# No test judges by the clock: on a busy machine an example may take any time.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_configure() -> None:
    # A runner that was started in the background ignores Ctrl-C, and so would every process that a test starts:
    # the tests of interrupts need the usual behaviour.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
