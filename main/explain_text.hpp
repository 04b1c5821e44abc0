#pragma once

#include "config/config.hpp"
#include "query/explanation.hpp"
#include "query/session_settings.hpp"

#include <string>
#include <vector>

namespace pgmemo {

/// The session that a statement is asked in.
struct Asked {
    query::SessionInWords session;
    std::vector<std::string> schemas; ///< where unqualified names are looked up, in order
};

/// What the proxy would decide.
struct Decided {
    query::Reason reason = query::Reason::none;
    const config::CachePolicy* policy = nullptr; ///< null: it is refused before the rules are asked
    const config::Rule* rule = nullptr;          ///< null: none matches
};

/// For a person: aligned, with a caret under the place. Ends with a newline.
std::string session_as_text(const Asked&);
std::string as_text(const std::string& sql, const query::Explanation&, const Decided&);

/// For a program: one object on one line, without a newline. Its keys are documented in docs/explain.md.
std::string as_json(const std::string& sql, const query::Explanation&, const Decided&, const Asked&);

} // namespace pgmemo
