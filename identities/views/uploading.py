"""Takes uploads apart from Django's usual way, which leaves large ones in clear in a folder for temporary files."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest

from identities.services import uploads

LONGEST_NAME = 200


class SealedFile(UploadedFile):  # type: ignore[type-arg]  # generic in its stubs alone
    """A file that was uploaded and lies sealed; a form sees its name and size."""

    def __init__(self, part: uploads.Part, size: int) -> None:
        super().__init__(file=None, name=part.label, size=size)
        self.part = part


class SealingHandler(FileUploadHandler):
    """Seals every file of one request piece by piece as it comes; `upload` is its number, "" while there is none.

    What is larger than an upload may be is read and thrown away: the form says so by the size.
    """

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self.upload = ""
        self._writer: uploads.Writer | None = None

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """One more file begins."""
        super().new_file(*args, **kwargs)
        self.upload = self.upload or uploads.begin()
        self._writer = uploads.Writer(self.upload, (self.file_name or "file")[-LONGEST_NAME:])

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Its next bytes; nobody else gets them."""
        if self._writer is not None and start < uploads.LARGEST:
            self._writer.write(raw_data)

    def file_complete(self, file_size: int) -> SealedFile | None:
        """It is whole."""
        if self._writer is None:
            return None
        writer, self._writer = self._writer, None
        return SealedFile(writer.close(), file_size)

    def upload_interrupted(self) -> None:
        """Whoever sent it went away."""
        self._writer = None
        uploads.forget(self.upload)
