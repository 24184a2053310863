"""A "site" for the tests: yt-dlp's own machinery over a server on loopback. Loaded through PYTHONPATH."""

from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.utils import ExtractorError


class ClipmillPlayIE(InfoExtractor):
    IE_NAME = "play"
    _VALID_URL = r"(?P<base>http://127\.0\.0\.1:\d+)/play/(?P<id>\w+)"

    def _real_extract(self, url):
        base, video = self._match_valid_url(url).group("base", "id")
        page = self._download_json(f"{base}/about/{video}.json", video)
        match page.get("trouble"):
            case "wall":
                self.raise_login_required("This video is for members only")
            case "geo":
                self.raise_geo_restricted()
            case "removed":
                raise ExtractorError("Video unavailable. This video has been removed by the uploader", expected=True)
            case "bot":
                raise ExtractorError("Sign in to confirm you’re not a bot", expected=True)
            case "list":
                return self.playlist_result([self.url_result(f"{base}/play/{n}") for n in ("two", "other")], video)
            case "broken":
                raise ExtractorError("Unable to extract title")
        page["formats"] = [{**known, "url": base + known["url"]} for known in page["formats"]]
        for kind in ("subtitles", "automatic_captions"):
            page[kind] = {
                language: [{"ext": ext, "url": f"{base}{path}"} for ext, path in files]
                for language, files in page.get(kind, {}).items()
            }
        return {"id": video, "title": f"The video {video}", **page}
