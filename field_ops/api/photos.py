"""Photos of submissions: in by pieces, out to those who may see them."""

from collections.abc import Mapping
from typing import IO, Any
from uuid import UUID

from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.cache import get_conditional_response
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import HasRole, person_of
from accounts.roles import Role
from energy_portal.shared.api import ProblemAwareJSONRenderer, StrictJSONParser
from energy_portal.shared.downloads import StreamedFile, pieces_of
from energy_portal.shared.errors import Invalid
from field_ops.models import Photo, PhotoUpload
from field_ops.selectors.photos import NoSuchPhoto, path_of, photo_for, thumbnail_path_of
from field_ops.services import uploads

MaySend = HasRole(Role.AGENT)
MayLook = HasRole(Role.AGENT, Role.MANAGER, Role.ADMIN)
_REFUSED = (
    "`photo_empty`, `photo_too_large`, `photo_not_accepted`, `heic_not_supported`, `photo_broken`, `photo_animated`, "
    "`photo_too_small`, `photo_too_many_pixels`, `photo_checksum`: the photo is forgotten, another one may be begun."
)
_BEFORE: dict[int, Any] = {
    403: OpenApiResponse(description="`not_your_submission`, `missing_role`."),
    404: OpenApiResponse(description="`no_such_submission`, `no_upload`."),
    503: OpenApiResponse(description="`photos_busy`, `storage_unavailable`: send the same again later."),
}
# What lies under a name never changes, but who may see it does: a browser asks each time.
_KEEP = "private, no-cache"


class BadOffset(Invalid):
    """Where a piece belongs is not said."""

    code = "bad_offset"
    status = 400


class PieceParser(BaseParser):
    """Read a piece as it is, and no more of it than one byte beyond what a piece may have."""

    media_type = "application/offset+octet-stream"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        return bytes(stream.read(uploads.LARGEST_PIECE_BYTES + 1))


class JPEGRenderer(ProblemAwareJSONRenderer):
    """Lets a caller ask for a JPEG; what is rendered is an error only, a photo is streamed."""

    media_type = "image/jpeg"
    format = "jpg"


class PhotoIn(serializers.Serializer[Any]):
    """The photo that is going to be sent."""

    size = serializers.IntegerField(min_value=1, help_text="Bytes.")
    sha256 = serializers.RegexField(r"\A[0-9a-fA-F]{64}\Z", help_text="Of the whole, in hexadecimal.")


class PhotoOut(serializers.Serializer[Any]):
    """How much of a photo is here."""

    received = serializers.IntegerField(source="received_bytes", help_text="Bytes: where the next piece begins.")
    size = serializers.IntegerField(source="size_bytes")
    done = serializers.SerializerMethodField(help_text="Whether it is whole, accepted and stored.")

    def get_done(self, upload: PhotoUpload) -> bool:
        """Return whether nothing is to be sent any more."""
        return upload.received_bytes == upload.size_bytes


class SizeIn(serializers.Serializer[Any]):
    """Which of the two pictures is asked for."""

    size = serializers.ChoiceField(choices=["full", "thumbnail"], default="full")


class SubmissionPhotoView(APIView):
    """The photo of a submission."""

    parser_classes = (StrictJSONParser, PieceParser)
    renderer_classes = (ProblemAwareJSONRenderer,)

    def get_permissions(self) -> list[BasePermission]:
        """Let agents send, and those look who may see submissions."""
        return [MayLook() if self.request.method == "GET" else MaySend()]

    def get_renderers(self) -> list[BaseRenderer]:
        """Let a JPEG be asked for where there is one."""
        return [*super().get_renderers(), *([JPEGRenderer()] if self.request.method == "GET" else [])]

    @extend_schema(
        operation_id="submissions_photo_begin",
        tags=["field work"],
        request={"application/json": PhotoIn},
        responses={
            200: PhotoOut,
            **_BEFORE,
            409: OpenApiResponse(description="`no_photo_expected`, `photo_already_there`."),
            413: OpenApiResponse(description="`file_too_large`: more than `MAX_FILE_SIZE`."),
            422: OpenApiResponse(description=_REFUSED),
        },
        description="Only who brought the submission sends its photo. Said again it tells from which byte to go on; "
        "another photo takes the place of one that is on its way. HEAD answers the same in `Upload-Offset` and "
        "`Upload-Length`.",
    )
    def post(self, request: Request, submission_id: UUID) -> Response:
        asked = PhotoIn(data=request.data)
        asked.is_valid(raise_exception=True)
        upload = uploads.begin(
            submission_id=submission_id,
            size_bytes=asked.validated_data["size"],
            sha256=asked.validated_data["sha256"],
            user=person_of(request),
            now=timezone.now(),
        )
        return _answer(upload)

    @extend_schema(
        operation_id="submissions_photo_piece",
        tags=["field work"],
        parameters=[
            OpenApiParameter(
                "Upload-Offset", OpenApiTypes.INT, OpenApiParameter.HEADER, required=True, description="Bytes before."
            )
        ],
        request={PieceParser.media_type: OpenApiTypes.BINARY},
        responses={
            200: PhotoOut,
            400: OpenApiResponse(description="`bad_offset`."),
            **_BEFORE,
            409: OpenApiResponse(
                description="`wrong_offset`: `received` says where the next piece begins; `no_photo_expected`, or "
                "what keeps the submission from review."
            ),
            422: OpenApiResponse(description=f"`bad_piece` (more than 2 MiB, or beyond the end), {_REFUSED}"),
        },
        description="A piece of any size up to 2 MiB. A piece that is here already changes nothing. After the last one "
        "the photo is decoded, stored and the submission is in review.",
    )
    def patch(self, request: Request, submission_id: UUID) -> Response:
        upload = uploads.add_piece(
            submission_id=submission_id,
            offset=_offset(request),
            piece=_piece(request),
            user=person_of(request),
            now=timezone.now(),
        )
        return _answer(upload)

    def head(self, request: Request, submission_id: UUID) -> Response:
        """Say how much is here."""
        upload = uploads.upload_of(submission_id=submission_id, user=person_of(request))
        return Response(headers=_headers(upload))

    @extend_schema(
        operation_id="submissions_photo_retrieve",
        tags=["field work"],
        parameters=[SizeIn],
        responses={
            (200, "image/jpeg"): OpenApiResponse(OpenApiTypes.BINARY, description="Upright, without any notes."),
            304: OpenApiResponse(description="The caller has it, by `If-None-Match`."),
            404: OpenApiResponse(description="`no_such_photo`."),
        },
        description="For those who may see the submission: at most 2560 pixels a side, as a thumbnail 320.",
    )
    def get(self, request: Request, submission_id: UUID) -> HttpResponseBase:
        asked = SizeIn(data=request.query_params)
        asked.is_valid(raise_exception=True)
        photo = photo_for(submission_id=submission_id, user=person_of(request))
        return _streamed(request, photo, is_small=asked.validated_data["size"] == "thumbnail")


def _answer(upload: PhotoUpload) -> Response:
    return Response(PhotoOut(upload).data, headers=_headers(upload))


def _headers(upload: PhotoUpload) -> dict[str, str]:
    return {
        "Upload-Offset": str(upload.received_bytes),
        "Upload-Length": str(upload.size_bytes),
        "Cache-Control": "no-store",
    }


def _offset(request: Request) -> int:
    text = request.headers.get("Upload-Offset", "")
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise BadOffset("The header Upload-Offset says how many bytes lie before the piece.")
    return int(text)


def _piece(request: Request) -> bytes:
    piece: Any = request.data
    if not isinstance(piece, bytes):
        raise BadOffset(f"A piece is sent as {PieceParser.media_type}.", code="unsupported_media_type", status=415)
    return piece


def _streamed(request: Request, photo: Photo, *, is_small: bool) -> HttpResponseBase:
    path = thumbnail_path_of(photo) if is_small else path_of(photo)
    tag = f'"{path.stem}"'
    known = get_conditional_response(request._request, etag=tag)
    if known is not None and known.status_code == 304:
        known["Cache-Control"], known["ETag"] = _KEEP, tag
        return known
    try:
        answer = StreamedFile(pieces_of(path), name=path.name, content_type="image/jpeg")
    except FileNotFoundError as error:
        raise NoSuchPhoto("The photo's file is missing.", code="photo_missing") from error
    answer["Content-Disposition"] = "inline"
    answer["Content-Length"] = str(path.stat().st_size)
    answer["Cache-Control"] = _KEEP
    answer["ETag"] = tag
    answer["X-Content-Type-Options"] = "nosniff"
    return answer
