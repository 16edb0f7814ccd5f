"""Pictures per level over HTTP: linked from the case, tagged, and refused with the levels."""

import io

import numpy as np
from fastapi.testclient import TestClient
from PIL import Image


def test_every_vertebra_of_a_case_says_where_its_picture_is(
    client: TestClient, demo_case_id: str
) -> None:
    vertebrae = client.get(f"/v1/cases/{demo_case_id}").json()["vertebrae"]
    assert vertebrae
    for one in vertebrae:
        assert one["picture"] == f"/v1/cases/{demo_case_id}/levels/{one['level']}.png"


def test_a_level_is_drawn_or_it_is_said_what_is_missing(
    client: TestClient, demo_case_id: str
) -> None:
    picture = client.get(f"/v1/cases/{demo_case_id}/levels/L3.png")
    if picture.status_code == 503:
        assert "apt-get" in picture.json()["detail"]
        return
    assert picture.status_code == 200, picture.text
    assert picture.headers["content-type"] == "image/png"
    drawn = np.asarray(Image.open(io.BytesIO(picture.content)).convert("L"))
    assert drawn.std() > 10.0  # not a blank page
    again = client.get(
        f"/v1/cases/{demo_case_id}/levels/L3.png",
        headers={"If-None-Match": picture.headers["etag"]},
    )
    assert (again.status_code, again.content) == (304, b"")


def test_a_known_tag_saves_the_drawing(client: TestClient, demo_case_id: str) -> None:
    kept = client.get(f"/v1/cases/{demo_case_id}/levels/L3.png", headers={"If-None-Match": "*"})
    assert kept.status_code == 304
    assert kept.headers["etag"].startswith('"')


def test_an_unknown_level_is_answered_with_those_there_are(
    client: TestClient, demo_case_id: str
) -> None:
    reply = client.get(f"/v1/cases/{demo_case_id}/levels/T1.png")
    assert reply.status_code == 404
    said = reply.json()
    assert "L3" in said["detail"] or "L3" in said["errors"][0]["message"]
    assert client.get("/v1/cases/nothing/levels/L3.png").status_code == 404
