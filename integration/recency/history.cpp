#include "integration/recency/history.hpp"

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <utility>

namespace pgmemo::recency {

namespace {

double milliseconds(Time time, Time origin)
{
    return std::chrono::duration<double, std::milli>(time - origin).count();
}

std::string sentence(const Read& read, Time origin, const std::string& why)
{
    char head[128];
    std::snprintf(head, sizeof head, "key %d: a read [%.3f, %.3f] ms returned %lld: ", read.key,
                  milliseconds(read.start, origin), milliseconds(read.end, origin), static_cast<long long>(read.value));
    return head + why;
}

std::string at(const char* what, Time time, Time origin)
{
    char text[96];
    std::snprintf(text, sizeof text, "%s at %.3f ms", what, milliseconds(time, origin));
    return text;
}

/// The newest value known for certain at a time: the largest of all facts that were established before it.
class Floor {
public:
    void add(Time established, std::int64_t value) { facts_.emplace_back(established, value); }

    void settle()
    {
        std::sort(facts_.begin(), facts_.end());
        std::int64_t newest = 0;
        for (auto& [time, value] : facts_)
            value = newest = std::max(newest, value);
    }

    struct Fact {
        Time time;
        std::int64_t value;
    };
    std::optional<Fact> before(Time time) const
    {
        const auto after = std::lower_bound(facts_.begin(), facts_.end(), std::pair{time, std::int64_t{0}},
                                            [](const auto& a, const auto& b) { return a.first < b.first; });
        if (after == facts_.begin())
            return std::nullopt;
        const auto& [when, value] = *std::prev(after);
        return Fact{when, value};
    }

private:
    std::vector<std::pair<Time, std::int64_t>> facts_;
};

} // namespace

std::vector<std::string> violations(const History& history, Time origin, std::size_t at_most, std::size_t& found)
{
    std::vector<std::string> told;
    found = 0;
    const auto tell = [&](std::string text) {
        ++found;
        if (told.size() < at_most)
            told.push_back(std::move(text));
    };
    for (const auto& complaint : history.complaints)
        tell(complaint);

    std::map<std::pair<int, std::int64_t>, const Write*> written;
    std::map<int, Floor> acknowledged;
    std::map<int, Floor> seen;
    for (const auto& write : history.writes) {
        written.emplace(std::pair{write.key, write.value}, &write);
        if (write.outcome == Outcome::committed)
            acknowledged[write.key].add(write.acknowledged, write.value);
    }
    for (const auto& read : history.reads)
        seen[read.key].add(read.end, read.value);
    for (auto* floors : {&acknowledged, &seen})
        for (auto& [key, floor] : *floors)
            floor.settle();

    for (const auto& read : history.reads) {
        if (read.value != 0) { // 0 is what the table began with
            const auto write = written.find({read.key, read.value});
            if (write == written.end())
                tell(sentence(read, origin, "nobody wrote it"));
            else if (write->second->outcome == Outcome::rolled_back)
                tell(sentence(read, origin,
                              at("it was rolled back, acknowledged", write->second->acknowledged, origin)));
            else if (write->second->commit_sent > read.end)
                tell(sentence(read, origin, at("it was only sent for commit", write->second->commit_sent, origin)));
        }
        if (const auto fact = acknowledged[read.key].before(read.start); fact && fact->value > read.value)
            tell(
                sentence(read, origin,
                         std::to_string(fact->value) + " or later had been " + at("acknowledged", fact->time, origin)));
        else if (const auto earlier = seen[read.key].before(read.start); earlier && earlier->value > read.value)
            tell(sentence(read, origin,
                          std::to_string(earlier->value) + " or later had been " + at("read", earlier->time, origin)));
    }
    return told;
}

} // namespace pgmemo::recency
