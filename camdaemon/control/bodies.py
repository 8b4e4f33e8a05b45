"""What requests and answers of the control API hold, as JSON objects."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from camdaemon.control.verbs import Mode, Turn


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PlateAsked(_Asked):
    countdown: float = Field(ge=0, le=120, allow_inf_nan=False, description="seconds to leave the picture")


class BackdropAsked(_Asked):
    spec: str = Field(min_length=1, description="an image, a video, color:#rrggbb, blur[:sigma], or plate")


class SceneAsked(_Asked):
    name: str = Field(min_length=1, description="of a scene in the configuration")


class ModeAsked(_Asked):
    mode: Mode = Field(description="passthrough shows the room")


class TurnAsked(_Asked):
    turn: Turn = Field("toggle", description="what to do to the switch")


class AdjustAsked(_Asked):
    edge: float | None = Field(None, ge=-1, le=1, allow_inf_nan=False, description="matte from wider to tighter")
    blur: float | None = Field(None, ge=0, le=100, allow_inf_nan=False, description="of the backdrop, sigma in pixels")


class Answer(BaseModel):
    message: str = Field(description="one sentence for people")


class Problem(BaseModel):
    error: str = Field(description="what failed, why, and what to type")
