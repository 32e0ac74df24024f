# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place that imports pydantic.

`ansible-test sanity` imports every file below `plugins/` in an environment without pydantic, and a controller may lack
it too. Then the names below are inert stand-ins, so that importing works, and :func:`require_pydantic` gives the error
at the first use.
"""

from __future__ import annotations

import traceback
import typing as t

MINIMUM_VERSION = "2.8"

PYDANTIC_IMPORT_ERROR: str | None = None

if t.TYPE_CHECKING:
    from pydantic import (
        BaseModel,
        ConfigDict,
        Field,
        ValidationError,
        field_validator,
        model_serializer,
        model_validator,
        validate_call,
    )
else:
    try:
        from pydantic import (
            BaseModel,
            ConfigDict,
            Field,
            ValidationError,
            field_validator,
            model_serializer,
            model_validator,
            validate_call,
        )
    except ImportError:
        PYDANTIC_IMPORT_ERROR = traceback.format_exc()

        class BaseModel:
            """Stand-in: lets class statements run, and defaults that are made of other types."""

            def __init__(self, **values):
                pass

        class ValidationError(ValueError):
            """Stand-in: never raised."""

        def ConfigDict(**kwargs):
            return kwargs

        def Field(*args, **kwargs):
            return None

        def field_validator(*args, **kwargs):
            return lambda function: function

        def model_validator(*args, **kwargs):
            return lambda function: function

        def model_serializer(*args, **kwargs):
            return lambda function: function

        def validate_call(*args, **kwargs):
            return lambda function: function
