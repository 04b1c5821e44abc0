#pragma once

#include "config/config.hpp"

#include <yaml-cpp/yaml.h>

#include <chrono>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgmemo::config {

/// A position in the file; both count from 1, 0 is nowhere.
struct Place {
    int line = 0;
    int column = 0;
};

/// A value of the file: how messages call it, where it stands, what it is.
struct Field {
    std::string name; ///< `cache.memory`, `rule "x": cache.ttl`; empty for the whole file
    Place place;
    YAML::Node node;
    std::string_view joint = "."; ///< between this name and that of a key in it
};

using Section = std::map<std::string, Field, std::less<>>;

/// Reads typed values out of YAML and notes whatever is wrong with them; a reading that fails yields nullopt and goes
/// on.
class Reader {
public:
    explicit Reader(std::string file)
        : file_(std::move(file))
    {
    }

    void fail(Place place, std::string text);
    void fail(const Field& field, std::string_view text); ///< "<name>: <text>"

    /// The keys of a mapping. Unknown ones, those given twice and those that only later versions have are problems.
    Section section(const Field& field, std::initializer_list<std::string_view> known,
                    std::initializer_list<std::string_view> later = {});

    std::optional<std::string> word(const Field&);
    std::vector<Field> items(const Field&);       ///< a list's, or the one value itself
    std::vector<std::string> words(const Field&); ///< one word or a list of at least one
    std::optional<bool> on_or_off(const Field&);
    std::optional<std::size_t> size(const Field&);
    std::optional<std::optional<std::chrono::milliseconds>> ttl(const Field&);          ///< inner nullopt: `none`
    std::optional<std::chrono::milliseconds> time(const Field&);                        ///< more than 0
    std::optional<std::optional<std::chrono::milliseconds>> time_or_none(const Field&); ///< inner nullopt: `none`
    std::optional<unsigned> count(const Field&, unsigned least, unsigned most);
    std::optional<Address> address(const Field&);
    std::optional<std::string> choice(const Field&, std::initializer_list<std::string_view> choices);

    /// In the order of the file.
    std::vector<Problem> take_problems();

private:
    std::string file_;
    std::vector<Problem> problems_;
};

Place place_of(const YAML::Mark&) noexcept;
bool is_off(const YAML::Node&);
std::string quoted(std::string_view text); ///< as messages show it: in quotes, cut short, no control characters

} // namespace pgmemo::config
