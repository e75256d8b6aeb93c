// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.Configuration;

namespace Nomadstack.Engine.Server;

/// <summary>
/// The keys of gossip: what servers tell each other of themselves is sealed with the first and opened with any. The file wins over the configuration, which only fills it the first time.
/// For any thread.
/// </summary>
internal sealed class KeyRing
{
    private const byte Version = 1;
    private const int NonceBytes = 12, TagBytes = 16;

    private readonly Lock _gate = new();
    private readonly string _file;
    private IReadOnlyList<string> _keys;

    private KeyRing(string file, IReadOnlyList<string> keys) => (_file, _keys) = (file, keys);

    /// <summary>The first is the one in use; none means that gossip is not encrypted.</summary>
    public IReadOnlyList<string> Keys
    {
        get
        {
            lock (_gate) return _keys;
        }
    }

    public bool Encrypts => Keys.Count > 0;

    /// <param name="encrypt">The configuration's key; null for none.</param>
    /// <exception cref="ConfigException">A key is none, or the file is damaged.</exception>
    public static KeyRing Open(string folder, string? encrypt, ILogger log)
    {
        if (encrypt is not null && Complaint(encrypt) is { } complaint) throw new ConfigException([$"Invalid key: {complaint}"]);
        var ring = new KeyRing(Path.Combine(folder, "serf.keyring"), []);
        if (File.Exists(ring._file))
        {
            if (encrypt is not null) log.LogWarning("keyring exists but -encrypt given, using keyring: {File}", ring._file);
            ring._keys = Read(ring._file);
        }
        else if (encrypt is not null)
        {
            ring.Keep([encrypt]);
        }

        return ring;
    }

    /// <returns>What is wrong with a key; null when nothing is.</returns>
    public static string? Complaint(string key)
    {
        var bytes = new byte[key.Length];
        if (!Convert.TryFromBase64String(key, bytes, out var length)) return "illegal base64 data at input byte 0";
        return length is 16 or 24 or 32 ? null : "key size must be 16, 24 or 32 bytes";
    }

    /// <param name="purpose">A message for one is none for another.</param>
    public byte[] Seal(ReadOnlySpan<byte> plain, ReadOnlySpan<byte> purpose)
    {
        if (Keys is not [var primary, ..]) return plain.ToArray();
        var message = new byte[1 + NonceBytes + plain.Length + TagBytes];
        message[0] = Version;
        var nonce = message.AsSpan(1, NonceBytes);
        RandomNumberGenerator.Fill(nonce);
        using var cipher = new AesGcm(Convert.FromBase64String(primary), TagBytes);
        cipher.Encrypt(nonce, plain, message.AsSpan(1 + NonceBytes, plain.Length), message.AsSpan(^TagBytes), purpose);
        return message;
    }

    /// <exception cref="GossipKeyException">The other server has another key, or one of the two has none.</exception>
    public byte[] Unseal(ReadOnlySpan<byte> message, ReadOnlySpan<byte> purpose)
    {
        var keys = Keys;
        var isSealed = message is [Version, ..];
        if (keys.Count == 0 && isSealed)
            throw new GossipKeyException("Remote state is encrypted and encryption is not configured: give this server the cluster's gossip key (server.encrypt)");
        if (keys.Count == 0) return message.ToArray();
        if (!isSealed) throw new GossipKeyException("Encryption is configured but remote state is not encrypted: the other server has no gossip key (server.encrypt)");
        if (message.Length < 1 + NonceBytes + TagBytes) throw new GossipKeyException("the message is cut off");
        var plain = new byte[message.Length - 1 - NonceBytes - TagBytes];
        foreach (var key in keys)
        {
            using var cipher = new AesGcm(Convert.FromBase64String(key), TagBytes);
            try
            {
                cipher.Decrypt(message.Slice(1, NonceBytes), message.Slice(1 + NonceBytes, plain.Length), message[^TagBytes..], plain, purpose);
                return plain;
            }
            catch (AuthenticationTagMismatchException)
            {
                // Sealed with another of the keys, or with none of ours.
            }
        }

        throw new GossipKeyException("No installed keys could decrypt the message: the other server has another gossip key (server/serf.keyring)");
    }

    /// <summary>Does what an operator asks of every server.</summary>
    /// <returns>Why it was not done; null when it was.</returns>
    public string? Do(string operation, string key)
    {
        lock (_gate)
        {
            if (_keys.Count == 0) return "Keyring is empty (encryption not enabled)";
            switch (operation)
            {
                case KeyringAsked.List:
                    return null;
                case KeyringAsked.Install:
                    if (Complaint(key) is { } complaint) return complaint;
                    if (!_keys.Contains(key)) Keep([.. _keys, key]);
                    return null;
                case KeyringAsked.Use:
                    if (!_keys.Contains(key)) return "Requested key is not in the keyring";
                    Keep([key, .. _keys.Where(k => k != key)]);
                    return null;
                case KeyringAsked.Remove:
                    if (_keys[0] == key) return "Removing the primary key is not allowed";
                    Keep([.. _keys.Where(k => k != key)]);
                    return null;
                default:
                    return $"Unknown keyring operation \"{operation}\"";
            }
        }
    }

    private void Keep(IReadOnlyList<string> keys)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_file)!, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var unfinished = _file + ".tmp";
        using (var stream = new FileStream(unfinished, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
        {
            stream.Write(JsonSerializer.SerializeToUtf8Bytes(keys, MemberJson.Default.IReadOnlyListString));
            stream.Flush(flushToDisk: true);
        }

        File.Move(unfinished, _file, overwrite: true);
        _keys = keys;
    }

    private static IReadOnlyList<string> Read(string file)
    {
        try
        {
            var keys = JsonSerializer.Deserialize(File.ReadAllBytes(file), MemberJson.Default.IReadOnlyListString) ?? [];
            foreach (var key in keys)
                if (Complaint(key) is { } complaint) throw new ConfigException([$"Failed to decode key from keyring: {file}: {complaint}"]);
            return keys.Count > 0 ? keys : throw new ConfigException([$"no keys present in keyring: {file}"]);
        }
        catch (JsonException e)
        {
            throw new ConfigException([$"Failed to parse keyring: {file}: {e.Message}"]);
        }
    }
}

/// <summary>Two servers do not share a gossip key; in memberlist's words.</summary>
internal sealed class GossipKeyException(string message) : Exception(message);

/// <summary>What an operator asks of every server's keys.</summary>
internal sealed record KeyringAsked(string Operation, string Key)
{
    public const string List = "list", Install = "install", Use = "use", Remove = "remove";
}

/// <param name="Error">Null when it was done.</param>
/// <param name="Keys">Afterwards; the one in use first.</param>
internal sealed record KeyringSaid(string? Error, IReadOnlyList<string> Keys);
