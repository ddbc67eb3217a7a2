from collections import Counter

from platform_sdk import get_input, send_output

words = get_input().lower().split()
send_output(
    {
        "words": len(words),
        "longest": max(words, key=len, default=""),
        "most_common": Counter(words).most_common(3),
    }
)
