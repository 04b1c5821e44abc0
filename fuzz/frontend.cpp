// A stream of a client: cut into messages, however it arrives, and each message decoded.

#include "fuzz/target.hpp"

#include "wire/frame_reader.hpp"
#include "wire/frontend.hpp"

#include <algorithm>
#include <string>

using namespace pgmemo;

namespace {

void decode(char type, std::string_view bytes)
{
    const fuzz::Input input{bytes};
    const auto body = input.view();
    const auto lends = [&](std::string_view part) { input.lends(part); };
    switch (type) {
    case 'Q':
        if (const auto sql = wire::decode_query(body))
            lends(*sql);
        break;
    case 'P':
        if (const auto parse = wire::decode_parse(body)) {
            lends(parse->statement);
            lends(parse->sql);
        }
        if (const auto name = wire::decode_parse_name(body))
            lends(*name);
        if (const auto types = wire::decode_parse_types(body))
            fuzz::held(types->size() * 4 <= body.size(), "types are in the message");
        break;
    case 'E':
        if (const auto execute = wire::decode_execute(body))
            lends(execute->portal);
        break;
    case 'C':
        if (const auto close = wire::decode_close(body))
            lends(close->name);
        break;
    default:
        if (const auto bind = wire::decode_bind(body)) {
            lends(bind->portal);
            lends(bind->statement);
        }
    }
}

/// The stream as it comes out again, given to the reader in pieces of `piece` bytes: its frames laid end to end, with a
/// mark where each message begins.
std::string read(std::string_view stream, std::size_t piece, std::size_t max_held)
{
    std::string out;
    wire::FrameReader reader{max_held, wire::FrameReader::From::client};
    while (!stream.empty()) {
        const auto room = reader.room(1);
        fuzz::held(!room.empty(), "there is room to read into");
        const auto size = std::min({room.size(), stream.size(), piece});
        std::copy_n(stream.data(), size, room.data());
        reader.commit(size);
        stream.remove_prefix(size);
        for (;;) {
            const auto frame = reader.next();
            if (!frame) {
                out += "!";
                out += reader.unread();
                out += stream;
                return out;
            }
            if (!*frame)
                break;
            if ((*frame)->first)
                out += '|';
            fuzz::held((*frame)->bytes.size() >= (*frame)->body.size(), "the body is a part of the frame");
            fuzz::held(!(*frame)->first || (*frame)->type == (*frame)->bytes.front(), "the type is the first byte");
            out += (*frame)->bytes;
            if ((*frame)->whole())
                decode((*frame)->type, (*frame)->body);
        }
        reader.give_back();
        fuzz::held(reader.in_message() || reader.held() == 0, "an idle connection holds no buffer");
    }
    out += reader.unread();
    return out;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto stream = fuzz::text_of(data, size);
    const auto whole = read(stream, size + 1, 256);
    fuzz::held(read(stream, 1, 256) == whole, "a stream says the same one byte at a time");
    fuzz::held(read(stream, 7, 256) == whole, "a stream says the same in pieces");
    if (size > 0)
        decode(static_cast<char>(data[0]), stream.substr(1));
    return 0;
}
