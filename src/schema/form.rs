//! A value's type by its form, where nobody knows better: for a guest agent, with `--no-schema`, for type `any`.

use crate::grammar::{Arg, Diagnostic, Json, JsonKind, number_by_form};

/// Integer, number, `true`, `false`, `null` and JSON are what they look like; all else is a string. What holds a quote
/// or an escape is always a string.
pub fn value_by_form(arg: &Arg) -> Result<Json, Diagnostic> {
    if let Some(json) = &arg.json {
        return Ok(json.clone());
    }
    let span = arg.word.value_span();
    let text = arg.word.value();
    if arg.word.quoted {
        return Ok(Json::string(span, text));
    }
    let number = number_by_form(text)
        .map_err(|message| Diagnostic::new(span, format!("{message}; quote it to send a string")))?;
    if let Some(number) = number {
        return Ok(Json {
            span,
            kind: JsonKind::Number(number),
        });
    }
    let kind = match text {
        "null" | "None" => JsonKind::Null,
        _ if text.eq_ignore_ascii_case("true") => JsonKind::Bool(true),
        _ if text.eq_ignore_ascii_case("false") => JsonKind::Bool(false),
        _ => return Ok(Json::string(span, text)),
    };
    Ok(Json { span, kind })
}
