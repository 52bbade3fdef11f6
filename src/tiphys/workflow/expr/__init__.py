"""The languages in manifests: `{{tags}}`, expr-lang with sprig and JSONPath, `when`, `depends`, Go's durations. Pure.

Called by the engine, by validation and by HTTP templates. Texts come from users: every failure is an ExpressionError,
and the work a text can make is bounded.
"""
