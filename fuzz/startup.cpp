// The first, untyped packets of a connection, from anybody who can reach the port.

#include "fuzz/target.hpp"

#include "wire/startup.hpp"

using namespace pgmemo;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const fuzz::Input packet{fuzz::text_of(data, size)};
    if (size >= 4) {
        const auto length = wire::startup_length(packet.view());
        fuzz::held(!length || (*length >= 8 && *length <= wire::kMaxStartupPacket), "a startup packet is bounded");
    }
    const auto decoded = wire::decode_startup(packet.view());
    if (!decoded)
        return 0;
    if (const auto* cancel = std::get_if<wire::CancelRequest>(&*decoded))
        packet.lends(cancel->secret);
    if (const auto* message = std::get_if<wire::StartupMessage>(&*decoded)) {
        for (const auto& [name, value] : message->parameters) {
            packet.lends(name);
            packet.lends(value);
            fuzz::held(!name.empty(), "an empty name ends the parameters");
            fuzz::held(message->parameter(name).has_value(), "a parameter is found by its name");
            (void)wire::parse_bool(value);
        }
        packet.lends(message->user());
        packet.lends(message->database());
        (void)message->replication();
    }
    return 0;
}
