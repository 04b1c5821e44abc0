#include "query/value.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace pgmemo::query {

namespace {

// Source: PostgreSQL's pg_type.dat.
constexpr Oid kBool = 16;
constexpr Oid kInt8 = 20;
constexpr Oid kInt2 = 21;
constexpr Oid kInt4 = 23;
constexpr Oid kText = 25;
constexpr Oid kUnknown = 705;
constexpr Oid kVarchar = 1043;
constexpr Oid kUuid = 2950;

constexpr std::size_t kMostElements = 1'000; // more slots than that are no confinement worth its time
constexpr std::size_t kUuidBytes = 16;
constexpr std::string_view kBlanks = " \t\n\r\v\f"; // what array_in takes from around an element

constexpr char lower(char c) noexcept
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lower(std::string_view text)
{
    std::string made{text};
    std::transform(made.begin(), made.end(), made.begin(), [](char c) { return lower(c); });
    return made;
}

std::optional<std::string> canonical_integer(std::string_view text)
{
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+'))
        text.remove_prefix(1);
    if (text.empty() || !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }))
        return std::nullopt;
    text.remove_prefix(std::min(text.find_first_not_of('0'), text.size() - 1));
    std::string made{text};
    if (negative && made != "0")
        made.insert(made.begin(), '-');
    std::int64_t value = 0;
    if (std::from_chars(made.data(), made.data() + made.size(), value).ec != std::errc{})
        return std::nullopt; // beyond 64 bits
    return made;
}

std::optional<std::string> canonical_boolean(std::string_view text)
{
    const std::string word = lower(text);
    if (word == "t" || word == "true")
        return "t";
    if (word == "f" || word == "false")
        return "f";
    return std::nullopt;
}

std::optional<std::string> canonical_uuid(std::string_view text)
{
    if (text.size() > 2 && text.front() == '{' && text.back() == '}')
        text = text.substr(1, text.size() - 2);
    const bool hyphenated = text.size() == 36;
    if (!hyphenated && text.size() != 2 * kUuidBytes)
        return std::nullopt;
    std::string made;
    made.reserve(2 * kUuidBytes);
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = lower(text[i]);
        if (hyphenated && (i == 8 || i == 13 || i == 18 || i == 23)) {
            if (c != '-')
                return std::nullopt;
        } else if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')) {
            made += c;
        } else {
            return std::nullopt;
        }
    }
    return made;
}

std::optional<std::string> canonical_ascii(std::string_view text)
{
    const bool plain =
        std::all_of(text.begin(), text.end(), [](char c) { return c != '\0' && static_cast<unsigned char>(c) < 0x80; });
    if (!plain || text.ends_with(' ')) // varchar(n) drops blanks that are too many from what is assigned to it
        return std::nullopt;
    return std::string{text};
}

/// Takes big-endian fields off the front of what a client sent.
class Fields {
public:
    explicit Fields(std::string_view bytes)
        : left_(bytes)
    {
    }

    bool is_at_end() const noexcept { return left_.empty(); }

    std::optional<std::string_view> bytes(std::size_t size) noexcept
    {
        if (left_.size() < size)
            return std::nullopt;
        const auto taken = left_.substr(0, size);
        left_.remove_prefix(size);
        return taken;
    }

    std::optional<std::uint32_t> word() noexcept
    {
        const auto taken = bytes(4);
        if (!taken)
            return std::nullopt;
        std::uint32_t value = 0;
        for (const char c : *taken)
            value = (value << 8) | static_cast<unsigned char>(c);
        return value;
    }

private:
    std::string_view left_;
};

std::optional<std::string> integer_of_bytes(Oid type, std::string_view bytes)
{
    const bool fits = (bytes.size() == 2 && (type == 0 || type == kInt2)) ||
                      (bytes.size() == 4 && (type == 0 || type == kInt4)) ||
                      (bytes.size() == 8 && (type == 0 || type == kInt8));
    if (!fits)
        return std::nullopt;
    std::uint64_t value = (static_cast<unsigned char>(bytes.front()) & 0x80) != 0 ? ~std::uint64_t{0} : 0;
    for (const char c : bytes)
        value = (value << 8) | static_cast<unsigned char>(c);
    return std::to_string(static_cast<std::int64_t>(value));
}

std::optional<std::string> boolean_of_bytes(std::string_view bytes)
{
    if (bytes.size() != 1 || static_cast<unsigned char>(bytes.front()) > 1)
        return std::nullopt;
    return bytes.front() == 1 ? "t" : "f";
}

std::optional<std::string> uuid_of_bytes(std::string_view bytes)
{
    if (bytes.size() != kUuidBytes)
        return std::nullopt;
    constexpr std::string_view digits = "0123456789abcdef";
    std::string made;
    for (const char c : bytes) {
        made += digits[static_cast<unsigned char>(c) >> 4];
        made += digits[static_cast<unsigned char>(c) & 0xf];
    }
    return made;
}

/// `type` 0: any of the class.
std::optional<std::string> canonical_bytes(ValueClass kind, Oid type, std::string_view bytes)
{
    switch (kind) {
    case ValueClass::integer:
        return integer_of_bytes(type, bytes);
    case ValueClass::boolean:
        return boolean_of_bytes(bytes);
    case ValueClass::uuid:
        return uuid_of_bytes(bytes);
    case ValueClass::text:
        return canonical_ascii(bytes);
    case ValueClass::none:
        break;
    }
    return std::nullopt;
}

/// Elements of an array; nullopt within is NULL.
using Elements = std::vector<std::optional<std::string_view>>;

/// Of the text form of a one-dimensional array. Source: PostgreSQL documentation, "Array Input and Output Syntax".
std::optional<Elements> elements_of_text(std::string_view text)
{
    if (text == "{}")
        return Elements{};
    if (!text.starts_with('{'))
        return std::nullopt;
    Elements elements;
    std::size_t at = 1;
    while (at < text.size() && elements.size() < kMostElements) {
        if (text[at] == '"') {
            const auto end = text.find_first_of("\"\\", at + 1);
            if (end == std::string_view::npos || text[end] == '\\')
                return std::nullopt;
            elements.emplace_back(text.substr(at + 1, end - at - 1));
            at = end + 1;
        } else {
            const auto end = std::min(text.find_first_of(",{}\"\\", at), text.size());
            const auto word = text.substr(at, end - at);
            if (word.empty() || kBlanks.find(word.front()) != std::string_view::npos ||
                kBlanks.find(word.back()) != std::string_view::npos)
                return std::nullopt;
            if (lower(word) == "null")
                elements.emplace_back();
            else
                elements.emplace_back(word);
            at = end;
        }
        if (at == text.size())
            return std::nullopt;
        if (text[at] == '}')
            return at + 1 == text.size() ? std::optional{std::move(elements)} : std::nullopt;
        if (text[at] != ',')
            return std::nullopt;
        ++at;
    }
    return std::nullopt; // unfinished, or too many
}

struct BinaryArray {
    Oid element_type = 0;
    Elements elements;
};

/// Of the binary form. Source: array_recv in PostgreSQL's arrayfuncs.c: dimensions, flags, element type; for each
/// dimension its size and lower bound; for each element its length, -1 for NULL, and its bytes.
std::optional<BinaryArray> elements_of_bytes(std::string_view bytes)
{
    constexpr std::uint32_t null_length = 0xffff'ffff;
    Fields fields{bytes};
    const auto dimensions = fields.word();
    const auto flags = fields.word();
    const auto type = fields.word();
    if (!type || *dimensions > 1 || *flags > 1)
        return std::nullopt;
    BinaryArray array{*type, {}};
    if (*dimensions == 1) {
        const auto size = fields.word();
        const auto lower_bound = fields.word();
        if (!lower_bound || *size > kMostElements)
            return std::nullopt;
        for (std::uint32_t i = 0; i < *size; ++i) {
            const auto length = fields.word();
            if (!length)
                return std::nullopt;
            if (*length == null_length) {
                if (*flags == 0)
                    return std::nullopt;
                array.elements.emplace_back();
                continue;
            }
            const auto element = fields.bytes(*length);
            if (!element)
                return std::nullopt;
            array.elements.emplace_back(*element);
        }
    }
    if (!fields.is_at_end())
        return std::nullopt;
    return array;
}

/// Whether a parameter of that declared type can stand where the server expects one of that class.
bool is_of_class(ValueClass kind, Oid declared) noexcept
{
    return declared == 0 || value_class(declared) == kind || (kind == ValueClass::text && declared == kUnknown);
}

template <class Canonical>
std::optional<std::vector<std::string>> each(const Elements& elements, Canonical canonical)
{
    std::vector<std::string> values;
    values.reserve(elements.size());
    for (const auto& element : elements) {
        if (!element)
            continue;
        auto value = canonical(*element);
        if (!value)
            return std::nullopt;
        values.push_back(std::move(*value));
    }
    return values;
}

bool has_null(const Elements& elements) noexcept
{
    return std::any_of(elements.begin(), elements.end(), [](const auto& element) { return !element; });
}

} // namespace

ValueClass value_class(Oid type) noexcept
{
    switch (type) {
    case kInt2:
    case kInt4:
    case kInt8:
        return ValueClass::integer;
    case kBool:
        return ValueClass::boolean;
    case kUuid:
        return ValueClass::uuid;
    case kText:
    case kVarchar:
        return ValueClass::text;
    default:
        return ValueClass::none;
    }
}

Oid element_of_array(Oid type) noexcept
{
    switch (type) {
    case 1000:
        return kBool;
    case 1005:
        return kInt2;
    case 1007:
        return kInt4;
    case 1016:
        return kInt8;
    case 1009:
        return kText;
    case 1015:
        return kVarchar;
    case 2951:
        return kUuid;
    default:
        return 0;
    }
}

std::optional<std::string> canonical_text(ValueClass kind, std::string_view text)
{
    switch (kind) {
    case ValueClass::integer:
        return canonical_integer(text);
    case ValueClass::boolean:
        return canonical_boolean(text);
    case ValueClass::uuid:
        return canonical_uuid(text);
    case ValueClass::text:
        return canonical_ascii(text);
    case ValueClass::none:
        break;
    }
    return std::nullopt;
}

std::optional<std::vector<std::string>> canonical_array_text(ValueClass kind, std::string_view text)
{
    const auto elements = elements_of_text(text);
    if (kind == ValueClass::none || !elements || has_null(*elements))
        return std::nullopt;
    return each(*elements, [kind](std::string_view element) { return canonical_text(kind, element); });
}

std::optional<std::vector<std::string>> canonical_parameter(ValueClass column, const ParameterValue& parameter)
{
    if (column == ValueClass::none || !is_of_class(column, parameter.declared))
        return std::nullopt;
    if (parameter.is_null)
        return std::vector<std::string>{};
    auto value = parameter.is_binary ? canonical_bytes(column, parameter.declared, parameter.bytes)
                                     : canonical_text(column, parameter.bytes);
    if (!value)
        return std::nullopt;
    return std::vector<std::string>{std::move(*value)};
}

std::optional<std::vector<std::string>> canonical_array_parameter(ValueClass column, const ParameterValue& parameter)
{
    const Oid declared = element_of_array(parameter.declared);
    if (column == ValueClass::none || (parameter.declared != 0 && value_class(declared) != column))
        return std::nullopt;
    if (parameter.is_null)
        return std::vector<std::string>{};
    if (!parameter.is_binary) {
        const auto elements = elements_of_text(parameter.bytes);
        // With array_nulls = off an unquoted NULL is the text "NULL"; of the other classes it is an error.
        if (!elements || (column == ValueClass::text && has_null(*elements)))
            return std::nullopt;
        return each(*elements, [column](std::string_view element) { return canonical_text(column, element); });
    }
    const auto array = elements_of_bytes(parameter.bytes);
    if (!array || value_class(array->element_type) != column || (declared != 0 && declared != array->element_type))
        return std::nullopt;
    return each(array->elements, [column, type = array->element_type](std::string_view element) {
        return canonical_bytes(column, type, element);
    });
}

} // namespace pgmemo::query
