#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pgmemo::query {

/// What a server says of a session when it is asked: who it is and everything of it that can change a result.
///
/// pgmemo does not follow the values of SET, RESET, set_config, DISCARD, startup parameters, ALTER ROLE … SET and
/// rollbacks; it follows *that* something may have changed, and then asks the one who knows (docs/decisions/0002).
struct SessionFacts {
    std::string identity;             ///< database, roles, server, settings: equal texts, equal results
    std::vector<std::string> schemas; ///< current_schemas(true)
    bool read_committed_by_default = false;
    bool read_committed_now = false; ///< of the transaction that the question was asked in
    bool temporary_objects = false;  ///< it has some, and they hide other names
};

/// The question: one row, `read_settings_row` takes it. Every name in it is schema-qualified, so it means the same
/// under any search_path, and no user's object is run. `custom`: settings that applications made up, which the server
/// tells of only when it is asked by name.
std::string settings_query(std::span<const std::string> custom = {});

/// Nullopt if the row is not what the question asks for.
std::optional<SessionFacts> read_settings_row(std::span<const std::optional<std::string_view>> columns);

/// The same row, for a person to read.
struct SessionInWords {
    std::string database;
    std::string session_user;
    std::string current_user;
    /// Those that are a part of the identity and not as the server has them by default; nullopt: a custom one, not set.
    std::vector<std::pair<std::string, std::optional<std::string>>> settings;
};
SessionInWords put_in_words(std::span<const std::optional<std::string_view>> columns);

/// Settings that no result depends on; all others are a part of the identity.
std::span<const std::string_view> neutral_settings() noexcept;

} // namespace pgmemo::query
