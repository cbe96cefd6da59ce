//! JSON with other white space: token for token the same, so order, numbers and escapes stay.

/// What stands between the tokens.
#[derive(Clone, Copy)]
pub(super) enum Spacing {
    AsItIs,
    /// Nothing.
    Compact,
    /// A space behind each comma and colon.
    Airy,
    /// Lines, indented by so many spaces a level.
    Indented(usize),
}

/// JSON over several lines, for reading.
pub(super) fn pretty(json: &str) -> String {
    spaced(json, Spacing::Indented(2))
}

/// Tokens stay as they are; what stands between them does not.
pub(super) fn spaced(json: &str, spacing: Spacing) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    if matches!(spacing, Spacing::AsItIs) {
        return json.to_owned();
    }
    let line = |text: &mut String, depth: usize| {
        if let Spacing::Indented(width) = spacing {
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', width * depth));
        }
    };
    let mut letters = json.chars().peekable();
    while let Some(letter) = letters.next() {
        if quoted {
            text.push(letter);
            quoted = escaped || letter != '"';
            escaped = !escaped && letter == '\\';
            continue;
        }
        match letter {
            _ if letter.is_ascii_whitespace() => {}
            '{' | '[' => {
                text.push(letter);
                while letters.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(end) = letters.next_if(|next| matches!(next, '}' | ']')) {
                    text.push(end);
                } else {
                    depth += 1;
                    line(&mut text, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut text, depth);
                text.push(letter);
            }
            ',' => {
                text.push(letter);
                line(&mut text, depth);
                text.push_str(if matches!(spacing, Spacing::Airy) { " " } else { "" });
            }
            ':' => text.push_str(if matches!(spacing, Spacing::Compact) { ":" } else { ": " }),
            _ => {
                quoted = letter == '"';
                text.push(letter);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pretty_json_is_the_same_json_on_several_lines() {
        let json = r#"{"b":1e30,"a":[1,2.50,{}],"s":"{\"x\": [\\","empty":[]}"#;
        let lines = [
            "{",
            r#"  "b": 1e30,"#,
            r#"  "a": ["#,
            "    1,",
            "    2.50,",
            "    {}",
            "  ],",
            r#"  "s": "{\"x\": [\\","#,
            r#"  "empty": []"#,
            "}",
        ];
        assert_eq!(pretty(json), lines.join("\n"));
        assert_eq!(pretty(&pretty(json)), pretty(json));
    }
}
