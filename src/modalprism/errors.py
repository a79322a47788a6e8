"""What goes wrong at the door.

Every public function checks its input once, where it enters, and raises `InputError` with one
sentence that says what was wrong, where, and what to do. The command line turns it into exit
code 2.
"""


class InputError(ValueError):
    """The input cannot be used: the message says what was wrong, where, and what to do.

    Parameters
    ----------
    message : str
        It names parameters of the library; the command line adds its option.
    parameter : str
        The parameter that has to change, where it is one.
    """

    def __init__(self, message: str = "", *, parameter: str = "") -> None:
        super().__init__(message)
        self.parameter = parameter


class WorkerError(RuntimeError):
    """Work could not be finished where it ran, through no fault of the input.

    The message says what happened. What was finished is kept, and the command line says so, with
    exit code 1.
    """
